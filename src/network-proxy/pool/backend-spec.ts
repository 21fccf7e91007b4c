import type { Endpoint } from '../../base/transport.ts';
import type { ResolvedTargetTls } from '../../config/resolved.ts';

/** Everything that makes two connections to backends differ: what one request may share with another (H12). */
export interface BackendSpec {
  readonly endpoint: Endpoint;
  readonly protocol: 'http1' | 'http2' | 'auto';
  /** Null: clear text. `serverName` null: the endpoint's host. */
  readonly tls: ResolvedTargetTls | null;
  /** What is sent before everything else; null: nothing. */
  readonly proxyHeader: Uint8Array | null;
}

/** Equal texts: connections can be shared. */
export function keyOf(spec: BackendSpec): string {
  const { endpoint, protocol, tls, proxyHeader } = spec;
  return JSON.stringify([
    'socket' in endpoint ? endpoint.socket : [endpoint.host, endpoint.port, endpoint.dns ?? 'system'],
    protocol,
    tls === null ? null : [serverNameOf(spec), tls.ca, tls.certFile, tls.keyFile, tls.verify],
    proxyHeader === null ? null : Buffer.from(proxyHeader).toString('latin1'),
  ]);
}

/** What TLS asks for and verifies; empty for a unix socket without a name. */
export function serverNameOf({ endpoint, tls }: BackendSpec): string {
  return tls?.serverName ?? ('host' in endpoint ? endpoint.host : '');
}

/** As statistics and logs name it: `host:port`, or the path of a unix socket. */
export function nameOf(endpoint: Endpoint): string {
  if ('socket' in endpoint) return endpoint.socket;
  const { host, port } = endpoint;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
