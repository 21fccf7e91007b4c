import { createHash } from 'node:crypto';
import tls, { type SecureContext } from 'node:tls';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import { BoundedCache } from './bounded-cache.ts';
import type { Certificate } from './certificate.ts';

/**
 * What a context is made of beside its certificate. Made by `contextOptions`.
 *
 * Nothing of versions: OpenSSL has negotiated them from the server's own context when it learns the
 * name, and a `minVersion` in the context for the name is ignored (tried on Node 22, 24 and 26).
 */
export interface ContextOptions {
  /** PEM of the authorities whose client certificates are accepted; null: no client is asked. */
  readonly clientCa: string | null;
  /** Equal for equal options. */
  readonly identity: string;
}

export function contextOptions(clientCa: string | null): ContextOptions {
  const identity = clientCa === null ? '' : createHash('sha256').update(clientCa).digest('base64url');
  return { clientCa, identity };
}

interface Entry {
  readonly certificate: Certificate;
  readonly context: SecureContext;
}

/**
 * OpenSSL contexts by certificate and options. Making one takes 0.2–0.8 ms, which a handshake
 * should not pay, and each holds some tens of kilobytes, so the longest unused makes room.
 */
export class SecureContexts {
  readonly #entries: BoundedCache<string, Entry>;

  /** @param maxContexts default 2,000 */
  constructor(maxContexts = 2000) {
    this.#entries = new BoundedCache(maxContexts);
  }

  /** Contexts that are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** Never throws: what OpenSSL refuses is a value, `certificate-unusable`. */
  get(certificate: Certificate, options: ContextOptions): SecureContext | SmartProxyError {
    const key = `${certificate.identity} ${options.identity}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known.context;
    try {
      const context = tls.createSecureContext({
        cert: certificate.cert,
        key: certificate.key,
        ...(options.clientCa !== null && { ca: options.clientCa }),
      });
      this.#entries.set(key, { certificate, context });
      return context;
    } catch (error) {
      return new SmartProxyError('certificate-unusable', errorMessage(error), {
        source: 'config',
        cause: error,
      });
    }
  }

  /** Drops every context of a certificate that serves no more. Handshakes and connections that have it go on. */
  forget(certificate: Certificate): void {
    for (const key of [...this.#entries.keys()]) {
      if (key.startsWith(`${certificate.identity} `)) this.#entries.delete(key);
    }
  }
}
