import type { ConnectionRecord } from '../../connection/connection-record.ts';
import type { TransportResources } from '../../transport/socket-transport.ts';
import type { ClientListener, ClientStream } from '../exchange.ts';

/** What a stream asks of the session with the client that it belongs to. */
export interface ServerSessionPort {
  readonly record: ConnectionRecord;
  readonly resources: TransportResources;
  now(): number;
  requestIdOf(streamId: number): string;
  onRequest(stream: ClientStream): ClientListener;
  onRefused(status: number): void;
  allowQuiet(inactivityMs: number): void;
  received(bytes: number): void;
  sent(): void;
  answering(change: 1 | -1): void;
  streamOver(stream: ClientStream, cut: boolean): void;
}
