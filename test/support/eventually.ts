import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 2;
/** Far beyond what anything takes, on a machine that does ten other things. */
const limitMs = 120_000;

/** Asks until the answer is true. Fails, naming what was waited for, when it never is. */
export async function eventually(what: string | (() => string), check: () => boolean): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!check()) {
    if (performance.now() > deadline) assert.fail(`never: ${typeof what === 'string' ? what : what()}`);
    await delay(pollMs);
  }
}
