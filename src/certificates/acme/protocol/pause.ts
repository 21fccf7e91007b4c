import type { Clock } from '../../../base/clock.ts';
import { interrupted } from './acme-error.ts';

/** Waits. Rejects with `acme-interrupted` once the signal is aborted. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal.aborted) return Promise.reject(interrupted());
  const stop = (): void => reject(interrupted());
  signal.addEventListener('abort', stop);
  const timer = clock.setTimer(delayMs, resolve);
  return promise.finally(() => {
    timer.cancel();
    signal.removeEventListener('abort', stop);
  });
}
