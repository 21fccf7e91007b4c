import { errorCode } from '../../base/errors.ts';

/** What nghttp2 calls a flood: of answers to PING and SETTINGS that nobody reads, and of CONTINUATION. */
const floods: ReadonlySet<number> = new Set([-904, -905]);

/** Frames that broke rules one by one, until there were too many. */
const codes: ReadonlySet<string> = new Set([
  'ERR_HTTP2_TOO_MANY_INVALID_FRAMES',
  'ERR_HTTP2_TOO_MANY_REJECTED_STREAMS',
]);

/** Whether a session failed because of how much its peer sent, and not of what. */
export function isAbuse(error: Error & { errno?: unknown }): boolean {
  const { errno } = error;
  if (typeof errno === 'number' && floods.has(errno)) return true;
  const code = errorCode(error);
  return code !== null && codes.has(code);
}
