import type { Clock } from '../../base/clock.ts';
import type { ConnectionRecord } from '../../connection/connection-record.ts';
import type { ClientListener, ClientStream } from '../exchange.ts';
import type { SendFlow } from './send-flow.ts';

/** What a stream asks of the session with the client that it belongs to. */
export interface ServerSessionPort {
  readonly record: ConnectionRecord;
  readonly clock: Clock;
  readonly flow: SendFlow;
  requestIdOf(streamId: number): string;
  onRequest(stream: ClientStream): ClientListener;
  onRefused(status: number): void;
  allowQuiet(inactivityMs: number): void;
  received(bytes: number): void;
  sent(): void;
  answering(change: 1 | -1): void;
  /**
   * @param cut by the client, or because it broke a rule
   * @param mayCome bytes that the client may send before it hears of it
   */
  streamOver(streamId: number, cut: boolean, mayCome: number): void;
}
