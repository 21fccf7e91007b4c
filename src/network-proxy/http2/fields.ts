import type { OutgoingHttpHeaders } from 'node:http2';
import type { HeadChanges, HttpRequest, RequestChanges, Trailers } from '../exchange.ts';
import { hopByHopNames } from '../http1/hop-by-hop-names.ts';
import { eachForwarded, type ForwardedHead, handshakeNames } from './forwarded-fields.ts';

/**
 * Heads as HTTP/2 writes them (RFC 9113 §8.2, §8.3): names in lower case, no field of one
 * connection only, nothing that says how a body is delimited but Content-Length.
 */

/** A head in the making. */
class Fields {
  readonly fields: OutgoingHttpHeaders = Object.create(null);

  /**
   * Several values of one name become one (RFC 9110 §5.3), but for Set-Cookie, which cannot. Node
   * would refuse a list for many names, and differs in which from line to line.
   */
  put(name: string, value: string): void {
    const { fields } = this;
    const earlier = fields[name];
    if (earlier === undefined) fields[name] = value;
    else if (name === 'set-cookie')
      fields[name] = Array.isArray(earlier) ? [...earlier, value] : [String(earlier), value];
    else fields[name] = `${String(earlier)}${name === 'cookie' ? '; ' : ', '}${value}`;
  }

  copy(head: ForwardedHead, changes: HeadChanges, skipped: ReadonlySet<string> | null): this {
    eachForwarded(head, changes, skipped, (name, value) => this.put(name, value));
    return this;
  }
}

export interface RequestTerms {
  readonly scheme: 'http' | 'https';
  /** The backend takes an extended CONNECT (RFC 8441); else an upgrade is not passed on (RFC 9110 §7.8). */
  readonly upgrades: boolean;
}

/** The head of a forwarded request. */
export function requestFields(
  request: HttpRequest,
  changes: RequestChanges,
  { scheme, upgrades }: RequestTerms,
): OutgoingHttpHeaders {
  const { upgrade } = request;
  const made = new Fields();
  const { fields } = made;
  const extended = upgrade !== null && upgrades;
  fields[':method'] = extended ? 'CONNECT' : upgrade === null ? request.method : 'GET';
  if (extended) fields[':protocol'] = upgrade;
  fields[':scheme'] = scheme;
  fields[':authority'] = changes.authority ?? request.authority;
  fields[':path'] = changes.target ?? request.target;
  made.copy(request, changes, extended ? requestNamesOfUpgrade : requestNames);
  if (takesTrailers(request)) fields.te = 'trailers';
  return fields;
}

const requestNames: ReadonlySet<string> = new Set(['host', 'http2-settings']);
const requestNamesOfUpgrade: ReadonlySet<string> = new Set([...requestNames, ...handshakeNames]);

/** All that TE may say in HTTP/2 (RFC 9113 §8.2.2). */
function takesTrailers(request: HttpRequest): boolean {
  const accepted = request.field('te');
  return accepted?.split(',').some((coding) => coding.trim().toLowerCase() === 'trailers') ?? false;
}

/** Fields after a body. Those that would be about the connection are left out. */
export function trailerFields(trailers: Trailers): OutgoingHttpHeaders {
  const made = new Fields();
  for (const [name, value] of trailers ?? []) {
    const lower = name.toLowerCase();
    if (!hopByHopNames.has(lower)) made.put(lower, value);
  }
  return made.fields;
}
