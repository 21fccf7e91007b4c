import type { Clock } from '../base/clock.ts';
import type { Dial } from '../base/transport.ts';

/** Dials as `dial` does, and tells how long each that succeeded took. */
export function timedDial(dial: Dial, clock: Clock, connected: (durationMs: number) => void): Dial {
  return (endpoint, handlers) => {
    const startedAt = clock.now();
    return dial(endpoint, {
      onConnected(transport) {
        connected(clock.now() - startedAt);
        handlers.onConnected(transport);
      },
      onFailed: (failure) => handlers.onFailed(failure),
    });
  };
}
