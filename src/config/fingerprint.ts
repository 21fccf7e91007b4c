import { hash } from 'node:crypto';

/**
 * Text that is equal for routes that do the same: what a reload compares to leave connections of
 * unchanged routes alone. Not in it: the route's place in the configuration, and what it takes
 * from the process (a new process-wide deadline is no reason to end connections).
 *
 * A function stands for its source: re-reading a file makes new functions of the same text, and
 * the connections that the old ones have served are none the worse for it. A digest, because
 * there may be 100,000 of them. Keys must come in a fixed order.
 */
export function fingerprint(parts: readonly unknown[], functions: readonly unknown[] = []): string {
  return hash('sha256', JSON.stringify([...parts, functions.map(String)]), 'base64url');
}
