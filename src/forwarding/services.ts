import type { Clock } from '../base/clock.ts';
import type { Dial } from '../base/transport.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';
import type { TimeoutManager } from '../connection/timeout-manager.ts';

/** What forwarding a connection takes. */
export interface ForwardingServices {
  clock: Clock;
  manager: ConnectionManager;
  timeouts: TimeoutManager;
  dial: Dial;
}
