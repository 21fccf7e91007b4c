import { normalizeAddress } from '../base/address.ts';
import type { ResolvedCertificate, ResolvedTls } from './resolved.ts';
import type { HandlerAction } from './schema.ts';

type Tls = NonNullable<HandlerAction['tls']>;

/**
 * An action's `tls` with every default filled in.
 * @param alpn what is offered where nothing is said
 */
export function resolveTls(tls: Tls, alpn: readonly string[]): ResolvedTls {
  return {
    certificate: resolveCertificate(tls.certificate),
    clientAuth:
      tls.clientAuth === undefined
        ? null
        : { ca: tls.clientAuth.ca, required: tls.clientAuth.required ?? true },
    alpn: [...new Set(tls.alpn ?? alpn)],
    minVersion: tls.minVersion ?? 'TLSv1.2',
  };
}

function resolveCertificate(certificate: Tls['certificate']): ResolvedCertificate {
  if (certificate === undefined) return { from: 'default' };
  if (typeof certificate === 'string') return { from: certificate };
  if ('certFile' in certificate) {
    return { from: 'files', certFile: certificate.certFile, keyFile: certificate.keyFile };
  }
  return { from: 'inline', cert: certificate.cert, key: certificate.key };
}

/**
 * What `default` means for a name or a pattern (normalised): `local` for what surely is local, which
 * no public authority signs.
 */
export function defaultCertificate(name: string): 'local' | 'auto' {
  if (name === 'localhost' || /\.(?:localhost|test)$/.test(name)) return 'local';
  return normalizeAddress(name) === undefined ? 'auto' : 'local';
}
