import type { TerminationReason } from '../base/termination.ts';
import type { ConnectionRecord } from './connection-record.ts';

/**
 * What security, metrics and the log hear about connections. They observe the manager; it knows
 * none of them. Methods never throw; one that does is logged and counted, and the chain goes on.
 */
export interface ConnectionObserver {
  /** A record exists. */
  opened?(record: ConnectionRecord): void;
  /** `record.route` was set. */
  routed?(record: ConnectionRecord): void;
  /** Exactly once for each `opened`: both descriptors are gone, `record.termination` is set. */
  ended?(record: ConnectionRecord): void;
  /** So many more bytes of a connection that has ended were told of late, by the kernel. */
  corrected?(route: string | null, more: { fromClient: number; toClient: number }): void;
  /** Connections were turned away before they had a record; the address is empty where there are several. */
  refused?(reason: TerminationReason, address: string, port: number, count: number): void;
}
