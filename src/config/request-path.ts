/**
 * Paths of requests, as routes compare them (RFC 3986 §6.2.2). Servers differ in what they make of
 * some paths, so such a path has several readings; docs/decisions/0030 says what follows from it.
 * What is forwarded is never this text, but what the client sent.
 */

const slash = 0x2f;
const dot = 0x2e;

/** Whether every server reads a path in the same way: its only reading is itself. */
export function isPlainPath(path: string): boolean {
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code === 0x25 || code === 0x3b || code === 0x5c || code === 0x23 || code === 0x3f) return false;
    if (code === slash && isOddSegment(path, at + 1)) return false;
  }
  return true;
}

/** Whether a segment that begins here is empty (but not the last), `.` or `..`. */
function isOddSegment(path: string, start: number): boolean {
  let at = start;
  if (path.charCodeAt(at) === slash) return true;
  while (at < start + 2 && path.charCodeAt(at) === dot) at++;
  return at > start && (at === path.length || path.charCodeAt(at) === slash);
}

/** What servers may do to a path before they look at it. Each is done, or not, in each reading. */
type Step = (path: string) => string;

/** In the order in which servers that do several of them do them. */
const steps: readonly Step[] = [
  (path) => path.replaceAll('%2F', '/'),
  (path) => path.replaceAll(/\\|%5C/g, '/'),
  // Parameters of a segment (RFC 3986 §3.3): `/admin;x/y` is `/admin/y` to a servlet container.
  (path) => path.replaceAll(/;[^/]*/g, ''),
  // A URL without a scheme: `//name/x` is `/x` on another host.
  (path) => path.replace(/^\/\/+[^/]*/, ''),
  (path) => path.replaceAll(/\/{2,}/g, '/'),
  removeDotSegments,
];

/** A path with more oddities than this allows is not worth the time that reading it takes. */
const mostReadings = 8;

/**
 * Every way in which servers may read a path: the first as RFC 3986 has it but for dot segments,
 * and each once. Percent-encoded letters, digits, `-`, `.`, `_`, `~` are decoded in all of them.
 * Null: there are more than anybody means.
 */
export function readingsOf(path: string): string[] | null {
  const end = path.search(/[?#]/);
  let readings = [decodeUnreserved(end < 0 ? path : path.slice(0, end)) || '/'];
  for (const step of steps) {
    const changed = readings.map((reading) => step(reading) || '/');
    readings = [...new Set([...readings, ...changed])];
    if (readings.length > mostReadings) return null;
  }
  return readings;
}

/** The path that the RFC makes of another spelling (§6.2.2.2): encoded unreserved characters decoded, hexadecimals in capitals. */
function decodeUnreserved(path: string): string {
  return path.replaceAll(/%([0-9A-Fa-f]{2})/g, (code, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : code.toUpperCase();
  });
}

/** RFC 3986 §5.2.4, for absolute paths. */
function removeDotSegments(path: string): string {
  if (!/\/\.{1,2}(?:\/|$)/.test(path)) return path;
  const segments = path.split('/');
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else {
      if (segment === '..' && kept.length > 1) kept.pop();
      if (index === segments.length - 1) kept.push('');
    }
  }
  return kept.join('/');
}

/** A path of the configuration in its one spelling; undefined where servers would differ about it. */
export function normalizePath(text: string): string | undefined {
  if (!/^\/[\x21-\x7e]*$/.test(text) || /[*?#]/.test(text)) return undefined;
  const readings = readingsOf(text);
  return readings?.length === 1 ? readings[0] : undefined;
}

/** The same for `match.path`: exact, or a prefix that ends in `/*`. */
export function normalizePathPattern(text: string): string | undefined {
  if (!text.endsWith('/*')) return normalizePath(text);
  const prefix = normalizePath(text.slice(0, -1));
  return prefix === undefined ? undefined : `${prefix}*`;
}

/** Whether every path of one pattern is one of the other's. Both normalised. */
export function coversPath(outer: string, inner: string): boolean {
  if (outer === inner) return true;
  if (!outer.endsWith('/*')) return false;
  return inner === outer.slice(0, -2) || inner.startsWith(outer.slice(0, -1));
}

/**
 * A request's target without `prefix` (normalised, without a slash at its end), with its query and
 * in the client's spelling. Unchanged where the prefix is not there or ends within a segment. What
 * is left begins with exactly one slash: with two, it would name another host.
 */
export function cutPrefix(target: string, prefix: string): string {
  let at = 0;
  for (const segment of prefix.split('/').slice(1)) {
    if (target.charCodeAt(at) !== slash) return target;
    const end = segmentEnd(target, at + 1);
    if (decodeUnreserved(target.slice(at + 1, end)) !== segment) return target;
    at = end;
  }
  return `/${target.slice(at).replace(/^\/+/, '')}`;
}

function segmentEnd(target: string, start: number): number {
  let at = start;
  while (at < target.length && !'/?#'.includes(target[at]!)) at++;
  return at;
}
