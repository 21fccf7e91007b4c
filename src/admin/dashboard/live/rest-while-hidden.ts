import type { LiveStream } from './live-stream.ts';

/** Whoever looks elsewhere for a moment comes back to a page that went on. */
const patienceMs = 30_000;

/** A page that nobody sees costs the proxy nothing. */
export function restWhileHidden(stream: LiveStream): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => stream.rest(), patienceMs);
    else if (stream.resting) stream.start();
  });
}
