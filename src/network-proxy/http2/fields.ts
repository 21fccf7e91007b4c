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

/** The head of a forwarded answer. 101 becomes 200: what follows it is the tunnel. */
export function responseFields(response: HttpResponse, changes: HeadChanges): OutgoingHttpHeaders {
  const fields = emptyFields();
  const { status } = response;
  const upgraded = status === 101;
  fields[':status'] = upgraded ? 200 : status;
  const skipped = upgraded ? handshakeNames : null;
  copyFields(response, changes, skipped, fields);
  return fields;
}

/** The head of an interim answer. */
export function interimFields(response: HttpResponse): OutgoingHttpHeaders {
  const fields = emptyFields();
  fields[':status'] = response.status;
  copyFields(response, nothingChanged, null, fields);
  return fields;
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
  const fields = emptyFields();
  const extended = upgrade !== null && upgrades;
  fields[':method'] = extended ? 'CONNECT' : upgrade === null ? request.method : 'GET';
  if (extended) fields[':protocol'] = upgrade;
  fields[':scheme'] = scheme;
  fields[':authority'] = changes.authority ?? request.authority;
  fields[':path'] = changes.target ?? request.target;
  copyFields(request, changes, extended ? requestNamesOfUpgrade : requestNames, fields);
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
export function ownFields(status: number, own: readonly Field[]): OutgoingHttpHeaders {
  const fields = emptyFields();
  fields[':status'] = status;
  for (const [name, value] of own) put(fields, name.toLowerCase(), value);
  return fields;
}

/** Fields after a body. Those that would be about the connection are left out. */
export function trailerFields(trailers: Trailers): OutgoingHttpHeaders {
  const fields = emptyFields();
  for (const [name, value] of trailers ?? []) {
    const lower = name.toLowerCase();
    if (!hopByHopNames.has(lower)) put(fields, lower, value);
  }
  return fields;
}

const nothingChanged: HeadChanges = { dropped: [], added: { fields: [], lines: Buffer.alloc(0) } };

function emptyFields(): OutgoingHttpHeaders {
  return Object.create(null) as OutgoingHttpHeaders;
}

function copyFields(
  head: Head,
  { dropped, added }: HeadChanges,
  skipped: ReadonlySet<string> | null,
  fields: OutgoingHttpHeaders,
): void {
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
    put(fields, lower, value);
  });
  for (const [name, value] of added.fields) put(fields, name.toLowerCase(), value);
}

const noNames: readonly string[] = [];

/**
 * Several values of one name become one (RFC 9110 §5.3), but for Set-Cookie, which cannot. Node
 * would refuse a list for many names, and differs in which from line to line.
 */
function put(fields: OutgoingHttpHeaders, name: string, value: string): void {
  const earlier = fields[name];
  if (earlier === undefined) fields[name] = value;
  else if (name === 'set-cookie')
    fields[name] = Array.isArray(earlier) ? [...earlier, value] : [String(earlier), value];
  else fields[name] = `${String(earlier)}${name === 'cookie' ? '; ' : ', '}${value}`;
}
