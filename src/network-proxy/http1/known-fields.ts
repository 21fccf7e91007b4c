import { equalsWord } from './bytes.ts';

/** Fields that decide about framing and connections: told apart while they are read. */
export const knownFields = {
  host: 1,
  connection: 2,
  'content-length': 3,
  'transfer-encoding': 4,
  upgrade: 5,
  expect: 6,
  te: 7,
  trailer: 8,
  'keep-alive': 9,
  'proxy-connection': 10,
  'proxy-authenticate': 11,
  'proxy-authorization': 12,
} as const;

/** 0 stands for every other field. */
export type FieldId = 0 | (typeof knownFields)[keyof typeof knownFields];

/** Candidates by the length of their names: most other names fail on their length or first byte. */
const byLength: readonly (readonly (readonly [string, FieldId])[])[] = Array.from(
  { length: 20 },
  (_, length) => Object.entries(knownFields).filter(([name]) => name.length === length),
);

/** Which known field a name is, in any case. */
export function fieldIdOf(bytes: Uint8Array, start: number, end: number): FieldId {
  const candidates = byLength[end - start];
  if (candidates === undefined) return 0;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i]!;
    if (equalsWord(bytes, start, end, candidate[0])) return candidate[1];
  }
  return 0;
}

/** Longest name that is known, in bytes. */
export const longestKnownName = byLength.length - 1;

const bits = (...names: (keyof typeof knownFields)[]): number =>
  names.reduce((all, name) => all | (1 << knownFields[name]), 0);

/**
 * Fields that are for one connection only (RFC 9110 §7.6.1), and those of proxies' own
 * authentication, which a reverse proxy has no part in. Transfer-Encoding is not among them: it
 * is written as it came, because chunks go through as they came. Trailer goes with the trailers.
 */
export const hopByHopBits = bits(
  'connection',
  'upgrade',
  'te',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
);

/** Dropping one of these would change where the next message begins, or for whom it is. */
export const neverDroppedBits = bits('host', 'content-length', 'transfer-encoding');

/** What must not be in trailers: framing, routing and connection options (RFC 9110 §6.5.1). */
export const forbiddenInTrailersBits = bits(
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
);
