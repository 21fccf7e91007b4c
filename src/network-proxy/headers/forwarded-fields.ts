import type { HttpRequest } from '../exchange.ts';

/**
 * Whom the backend is told about (H11). From a client that is not trusted, every field that tells
 * of a client is left out, in any spelling that some backend might take for it, and ours are put
 * in place. From a trusted one what it says is kept, and the client itself is added.
 *
 * | field | a stranger's | a trusted proxy's |
 * |---|---|---|
 * | `X-Forwarded-For` | replaced | its list, then the proxy's address |
 * | `X-Forwarded-Proto`, `-Host` | replaced | kept; ours where there is none |
 * | other `X-Forwarded-*`, `X-Real-IP` | left out | kept |
 * | `Forwarded` (RFC 7239) | replaced where there is one | its list, then ours; not begun by us |
 * | `Via` (RFC 9110 §7.6.3) | appended to | appended to |
 */
export interface Sender {
  /** The client's address as limits and logs know it. */
  readonly ip: string;
  readonly trusted: boolean;
}

/** Our own name in Via and Forwarded. */
const pseudonym = 'smartproxy';

const appended = ['x-forwarded-for', 'forwarded'];

/** Whether a field of the client's is left out. `name` is in lower case. */
export function isReplaced(name: string, trusted: boolean): boolean {
  const plain = name.replaceAll('_', '-');
  if (!trusted) return plain.startsWith('x-forwarded') || plain === 'forwarded' || plain === 'x-real-ip';
  return appended.includes(plain);
}

/** What is added in place of it, and beside it. */
export function forwardedFields(request: HttpRequest, sender: Sender): [name: string, value: string][] {
  const { authority } = request;
  const earlier = sender.trusted ? request.field('x-forwarded-for') : undefined;
  const fields: [string, string][] = [
    ['X-Forwarded-For', earlier === undefined || earlier === '' ? sender.ip : `${earlier}, ${sender.ip}`],
  ];
  const keeps = (name: string): boolean => sender.trusted && request.field(name) !== undefined;
  if (!keeps('x-forwarded-proto')) fields.push(['X-Forwarded-Proto', request.scheme]);
  if (!keeps('x-forwarded-host') && authority !== '') fields.push(['X-Forwarded-Host', authority]);
  const forwarded = request.field('forwarded');
  if (forwarded !== undefined) fields.push(['Forwarded', forwardedValue(request, sender, forwarded)]);
  fields.push(['Via', `${request.version === '2' ? '2' : request.version} ${pseudonym}`]);
  return fields;
}

function forwardedValue(request: HttpRequest, { ip, trusted }: Sender, earlier: string): string {
  const node = ip.includes(':') ? `"[${ip}]"` : ip === '' ? 'unknown' : ip;
  const host = request.authority === '' ? '' : `;host="${request.authority}"`;
  const own = `for=${node}${host};proto=${request.scheme}`;
  return trusted && earlier !== '' ? `${earlier}, ${own}` : own;
}
