import type { Clock } from '../../../base/clock.ts';
import type { Polled } from './acme-client.ts';
import { AcmeError } from './acme-error.ts';
import { pause } from './pause.ts';

export interface PollDelays {
  /** Before the second question, where the authority does not say. Grows by half with each. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** Even where the authority wants to be asked later: it may mean its own queue. */
  readonly longestRetryAfterMs: number;
  readonly inAllMs: number;
}

export const pollDelays: PollDelays = {
  firstMs: 200,
  longestMs: 5_000,
  longestRetryAfterMs: 60_000,
  inAllMs: 300_000,
};

/**
 * Asks for a resource until it has settled. Rejects with what `ask` rejects with, or
 * `acme-validation-failed` where it does not settle in time.
 */
export async function untilSettled<Resource>(
  ask: () => Promise<Polled<Resource>>,
  isSettled: (resource: Resource) => boolean,
  delays: PollDelays,
  clock: Clock,
  signal: AbortSignal,
): Promise<Resource> {
  const beganAt = clock.now();
  for (let delayMs = delays.firstMs; ; delayMs = Math.min(delayMs * 1.5, delays.longestMs)) {
    const { resource, retryAfterMs } = await ask();
    if (isSettled(resource)) return resource;
    const waitMs = Math.min(Math.max(retryAfterMs ?? 0, delayMs), delays.longestRetryAfterMs);
    if (clock.now() + waitMs - beganAt > delays.inAllMs) {
      throw new AcmeError(
        'acme-validation-failed',
        `the authority has not decided within ${delays.inAllMs / 60_000} minutes`,
      );
    }
    await pause(clock, waitMs, signal);
  }
}
