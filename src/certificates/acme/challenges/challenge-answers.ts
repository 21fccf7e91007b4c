import type { Certificate } from '../../certificate.ts';

/** How a name is proved to be ours. */
export type ChallengeType = 'http-01' | 'tls-alpn-01' | 'dns-01';

/** The protocol that TLS-ALPN-01 asks for (RFC 8737 §6.2). */
export const challengeProtocol = 'acme-tls/1';

const wellKnown = '/.well-known/acme-challenge/';

/** The token that a path asks for (RFC 8555 §8.3); null: it is no such path. */
export function tokenOf(path: string): string | null {
  if (!path.startsWith(wellKnown)) return null;
  const token = path.slice(wellKnown.length);
  return /^[\w-]{16,512}$/.test(token) ? token : null;
}

export function challengePath(token: string): string {
  return wellKnown + token;
}

/**
 * What authorities are answered, for those who have the sockets. Only what an order of ours is
 * waiting for; null is not ours, and goes the way of everything else (C3). Never throws or rejects.
 */
export interface ChallengeAnswers {
  /** Whether an order of this process waits for an authority to ask. */
  readonly waiting: boolean;
  /** The body for a token that is asked of a name (in lower case). */
  http(name: string, token: string): Answer<string>;
  /** The certificate that proves a name (in lower case). */
  tls(name: string): Answer<Certificate>;
}

/** A promise where another process with the same store may be the one that orders. */
export type Answer<Value> = Value | null | Promise<Value | null>;

/** A proof, as the authority will ask for it. */
export interface Proof {
  readonly name: string;
  readonly type: ChallengeType;
  readonly token: string;
  readonly keyAuthorization: string;
}
