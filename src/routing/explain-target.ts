import { domainToASCII } from 'node:url';
import { normalizeAddress } from '../base/address.ts';
import type { ExplainQuery } from './explanation.ts';
import type { FirstBytesKind } from './port-table.ts';

interface Scheme {
  readonly kind: FirstBytesKind;
  /** Null: the target must say its port. */
  readonly port: number | null;
  /** What a client of this scheme offers. */
  readonly alpn: readonly string[];
  /** Whether the client's first bytes tell the name that it wants. */
  readonly named: boolean;
  /** Whether it sends requests. */
  readonly requests: boolean;
}

const schemes = new Map<string, Scheme>([
  ['https', { kind: 'tls', port: 443, alpn: ['h2', 'http/1.1'], named: true, requests: true }],
  ['http', { kind: 'http', port: 80, alpn: [], named: false, requests: true }],
  ['tls', { kind: 'tls', port: 443, alpn: [], named: true, requests: false }],
  ['tcp', { kind: 'other', port: null, alpn: [], named: false, requests: false }],
]);

/** scheme://[user@]host[:port][/path][?…]; the host may be empty, or an IPv6 address in brackets. */
const pattern =
  /^([a-z]+):\/\/(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:[\]]*)(?::([0-9]{1,5}))?(\/[^?#]*)?(?:[?#].*)?$/i;

/**
 * Reads what `explain` is asked about: `https://a.test/x`, `tls://a.test:443`, `tcp://:5432`.
 * The request of a URL is a GET without headers to speak of. A host that is an address is where the
 * connection arrives, since clients send no address as a server name. Undefined where the text is
 * none of these: it may be the id of a connection.
 *
 * @param clientIp who connects; default 127.0.0.1
 */
export function parseExplainTarget(text: string, clientIp = '127.0.0.1'): ExplainQuery | undefined {
  const parts = pattern.exec(text);
  const scheme = schemes.get(parts?.[1]?.toLowerCase() ?? '');
  const client = normalizeAddress(clientIp);
  if (parts === null || scheme === undefined || client === undefined) return undefined;
  const port = parts[3] === undefined ? scheme.port : Number(parts[3]);
  const host = readHost(parts[2] ?? '');
  if (port === null || port < 1 || port > 65_535 || host === undefined) return undefined;
  return {
    port,
    clientIp: client,
    kind: scheme.kind,
    serverName: scheme.named ? host.name : null,
    alpn: scheme.alpn,
    localAddress: host.address,
    ...(scheme.requests && {
      request: { host: host.name ?? host.address, path: parts[4] ?? '/', method: 'GET', fields: {} },
    }),
  };
}

function readHost(text: string): { name: string | null; address: string | null } | undefined {
  if (text === '') return { name: null, address: null };
  const bracketed = text.startsWith('[');
  const address = normalizeAddress(bracketed ? text.slice(1, -1) : text);
  if (address !== undefined) return { name: null, address };
  if (bracketed) return undefined;
  const name = domainToASCII(text.endsWith('.') ? text.slice(0, -1) : text);
  return name === '' ? undefined : { name, address: null };
}
