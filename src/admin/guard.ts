import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isLoopback, normalizeAddress } from '../base/address.ts';
import { failure, type Reply } from './reply.ts';

export interface GuardOptions {
  /** Null where the server listens on a unix socket, which no web page can reach. */
  listenAddress: string | null;
  token: string | null;
}

/**
 * Who may call. A page in a browser can reach a server on this machine, under a name that its
 * author points here (DNS rebinding) or across origins: so the Host must be ours, the Origin the
 * Host, and what changes anything needs a Content-Type that a page cannot send unasked.
 */
export class Guard {
  readonly #listenAddress: string | null;
  readonly #tokenDigest: Buffer | null;

  constructor({ listenAddress, token }: GuardOptions) {
    this.#listenAddress = listenAddress;
    this.#tokenDigest = token === null ? null : digest(token);
  }

  /**
   * Why the request is refused; null where it may pass.
   *
   * @param isPublic it is for something that tells nothing, and that a page needs before it can ask for a token
   */
  refusal(request: IncomingMessage, { isPublic }: { isPublic: boolean }): Reply | null {
    return (
      this.#foreign(request) ??
      crossSite(request, isPublic) ??
      (isPublic ? null : this.#unknown(request)) ??
      wrongType(request)
    );
  }

  #foreign(request: IncomingMessage): Reply | null {
    if (this.#listenAddress === null) return null;
    const host = request.headers.host ?? '';
    if (!this.#isOurs(host, request.socket.localAddress ?? '')) {
      return failure(403, 'foreign-host', 'this server answers to localhost and to its own address only');
    }
    const { origin } = request.headers;
    if (origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}`) return null;
    return failure(403, 'foreign-origin', 'pages of other origins may not call this server');
  }

  #isOurs(host: string, arrivedAt: string): boolean {
    const name = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host)?.[1]?.toLowerCase() ?? '';
    if (name === 'localhost') return true;
    const address = normalizeAddress(name.replace(/^\[|\]$/g, ''));
    if (address === undefined) return false;
    return isLoopback(address) || address === this.#listenAddress || address === normalizeAddress(arrivedAt);
  }

  #unknown(request: IncomingMessage): Reply | null {
    if (this.#tokenDigest === null) return null;
    const given = /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    // Digests have one length, and comparing them takes the same time for every guess.
    if (timingSafeEqual(digest(given), this.#tokenDigest)) return null;
    const message = given === '' ? 'send the token: Authorization: Bearer …' : 'this is not the token';
    return failure(401, 'token-required', message, {
      'www-authenticate': 'Bearer realm="smartproxy"',
    });
  }
}

/**
 * Browsers say where a request comes from (Fetch Metadata). An image or a script of another page could
 * not read what it gets, but it could hold a stream open. To follow a link to the dashboard is no crime.
 */
function crossSite({ headers, method }: IncomingMessage, isPublic: boolean): Reply | null {
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return null;
  if (isPublic && method === 'GET' && headers['sec-fetch-mode'] === 'navigate') return null;
  return failure(403, 'foreign-origin', 'pages of other origins may not call this server');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function wrongType({ method, headers }: IncomingMessage): Reply | null {
  if (method === 'GET' || method === 'HEAD') return null;
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'application/json') return null;
  return failure(
    415,
    'unsupported-media-type',
    'send Content-Type: application/json (an empty body is fine)',
  );
}
