/** No authority means more than this, and a wrong one must not switch renewal off. */
const longestMs = 24 * 60 * 60 * 1000;

/**
 * Retry-After (RFC 9110 §10.2.3) as milliseconds from now, at most a day. Null where it is absent
 * or makes no sense.
 * @param nowMs milliseconds since the epoch
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  // Date.parse alone would take a lone number for a month.
  const dateMs = / GMT$/.test(text) ? Date.parse(text) : Number.NaN;
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : dateMs - nowMs;
  if (Number.isNaN(waitMs)) return null;
  return Math.min(Math.max(waitMs, 0), longestMs);
}
