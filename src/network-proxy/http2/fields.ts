import type { OutgoingHttpHeaders } from 'node:http2';
import type { Field, HeadChanges, HttpRequest, HttpResponse, RequestChanges, Trailers } from '../exchange.ts';
import { hopByHopNames } from '../http1/hop-by-hop-names.ts';

/**
 * Heads as HTTP/2 writes them (RFC 9113 §8.2, §8.3): names in lower case, no field of one
 * connection only, nothing that says how a body is delimited but Content-Length.
 */

/** Of a WebSocket's handshake in HTTP/1.1, which HTTP/2 does without (RFC 8441 §5). */
const handshakeNames: ReadonlySet<string> = new Set(['sec-websocket-key', 'sec-websocket-accept']);

interface Head {
  eachField(visit: (name: string, value: string) => void): void;
  readonly http1: { readonly connectionNames: readonly string[] } | null;
}

/** A head in the making. */
class Fields {
  readonly fields: OutgoingHttpHeaders = Object.create(null);
  /** Of names and values together. */
  bytes = 0;

  /**
   * Several values of one name become one (RFC 9110 §5.3), but for Set-Cookie, which cannot. Node
   * would refuse a list for many names, and differs in which from line to line.
   */
  put(name: string, value: string): void {
    const { fields } = this;
    this.bytes += name.length + value.length;
    const earlier = fields[name];
    if (earlier === undefined) fields[name] = value;
    else if (name === 'set-cookie')
      fields[name] = Array.isArray(earlier) ? [...earlier, value] : [String(earlier), value];
    else fields[name] = `${String(earlier)}${name === 'cookie' ? '; ' : ', '}${value}`;
  }

  copy(head: Head, { dropped, added }: HeadChanges, skipped: ReadonlySet<string> | null): this {
    const named = head.http1?.connectionNames ?? noNames;
    let place = 0;
    let nextDropped = 0;
    head.eachField((name, value) => {
      if (dropped[nextDropped] === place++) {
        nextDropped++;
        return;
      }
      const lower = name.toLowerCase();
      if (hopByHopNames.has(lower) || named.includes(lower) || skipped?.has(lower) === true) return;
      this.put(lower, value);
    });
    for (const [name, value] of added.fields) this.put(name.toLowerCase(), value);
    return this;
  }
}

const noNames: readonly string[] = [];

/** Fields as Node takes them, and how much they are. */
export type MadeFields = Pick<Fields, 'fields' | 'bytes'>;

/** The head of a forwarded answer. 101 becomes 200: what follows it is the tunnel. */
export function responseFields(response: HttpResponse, changes: HeadChanges): MadeFields {
  const made = new Fields();
  const { status } = response;
  const upgraded = status === 101;
  made.fields[':status'] = upgraded ? 200 : status;
  return made.copy(response, changes, upgraded ? handshakeNames : null);
}

/** The head of an interim answer. */
export function interimFields(response: HttpResponse): MadeFields {
  const made = new Fields();
  made.fields[':status'] = response.status;
  return made.copy(response, nothingChanged, null);
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

/** A status and fields of our own. */
export function ownFields(status: number, own: readonly Field[]): MadeFields {
  const made = new Fields();
  made.fields[':status'] = status;
  for (const [name, value] of own) made.put(name.toLowerCase(), value);
  return made;
}

/** Fields after a body. Those that would be about the connection are left out. */
export function trailerFields(trailers: Trailers): MadeFields {
  const made = new Fields();
  for (const [name, value] of trailers ?? []) {
    const lower = name.toLowerCase();
    if (!hopByHopNames.has(lower)) made.put(lower, value);
  }
  return made;
}

const nothingChanged: HeadChanges = { dropped: [], added: { fields: [], lines: Buffer.alloc(0) } };
