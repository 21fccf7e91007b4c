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
  /** A connection was turned away before it had a record. */
  refused?(reason: TerminationReason, address: string, port: number): void;
}
