import { requestName } from '../../routing/request-name.ts';
import type { Field, HttpRequest, Trailers } from '../exchange.ts';
import { nameMayTell } from '../headers/telling-names.ts';
import { portColon } from '../http1/authority.ts';
import { consistsOf, targetByte } from '../http1/bytes.ts';
import { defaultTargetBytes, type HeadLimits } from '../http1/head-limits.ts';
import { methodOf } from '../http1/methods.ts';
import { FieldList } from './field-list.ts';
import { maxFields } from './limits.ts';

export interface RequestOrigin {
  readonly scheme: 'http' | 'https';
  /** A frame with END_STREAM: no body follows. */
  readonly ended: boolean;
  /** A new Sec-WebSocket-Key: what a WebSocket needs in HTTP/1.1 (RFC 8441 §5). */
  readonly webSocketKey: () => string;
}

/** A request that came by HTTP/2 as the seam shows it. Its texts are its own: nothing needs to be kept. */
export class Http2Request implements HttpRequest {
  readonly version = '2';
  readonly http1 = null;
  readonly scheme: 'http' | 'https';
  readonly hasBody: boolean;
  readonly fields = new FieldList();
  method = '';
  authority = '';
  target = '';
  upgrade: string | null = null;
  mayTellOfClients = false;
  /** Of the head, pseudo-fields included, as HPACK counts (RFC 7541 §4.1). */
  readonly listBytes: number;
  readonly fieldCount: number;

  /** @param raw names and values in turn, of a head that is sound */
  constructor(raw: readonly string[], origin: RequestOrigin) {
    this.scheme = origin.scheme;
    let bytes = 0;
    for (let i = 0; i < raw.length; i += 2) {
      const [name, value] = [raw[i]!, raw[i + 1]!];
      bytes += name.length + value.length;
      this.#add(name, value);
    }
    this.fieldCount = raw.length >> 1;
    this.listBytes = bytes + this.fieldCount * fieldOverheadBytes;
    if (this.authority === '') this.authority = this.field('host') ?? '';
    if (this.upgrade === 'websocket' && this.field('sec-websocket-key') === undefined) {
      this.fields.add('sec-websocket-key', origin.webSocketKey());
    }
    this.hasBody = !origin.ended && this.upgrade === null;
  }

  /** `:scheme` is not believed: whether it is TLS is known. */
  #add(name: string, value: string): void {
    if (name.charCodeAt(0) !== colon) {
      if (nameMayTell(name)) this.mayTellOfClients = true;
      return this.fields.add(name, value);
    }
    if (name === ':method') this.method = value;
    else if (name === ':authority') this.authority = value;
    else if (name === ':path') this.target = value;
    else if (name === ':protocol') this.upgrade = value;
  }

  /** Of the head before it was compressed, more or less. */
  get headBytes(): number {
    return frameBytes + this.fields.bytes + this.target.length + this.authority.length;
  }

  get host(): string {
    return requestName(this.authority) ?? '';
  }

  get path(): string {
    const query = this.target.indexOf('?');
    return query < 0 ? this.target : this.target.slice(0, query);
  }

  get contentLength(): number {
    return this.fields.contentLength;
  }

  get expectContinue(): boolean {
    return this.field('expect')?.toLowerCase() === '100-continue';
  }

  field(name: string): string | undefined {
    return this.fields.field(name);
  }

  values(name: string): string[] {
    return this.fields.values(name);
  }

  eachField(visit: (name: string, value: string) => void): void {
    this.fields.each(visit);
  }

  keep(): void {}
}

const colon = 0x3a;
/** What HPACK counts for an entry beside its name and value. */
const fieldOverheadBytes = 32;
/** A frame's length and type. */
const frameBytes = 9;

/** Why a request is not taken on; the status is what the client is told. */
export interface RequestRefusal {
  readonly status: 400 | 414 | 431 | 501;
  readonly code: string;
}

/**
 * What HTTP/1 would refuse too, and HTTP/2 does not: nothing may be said by HTTP/2 that could
 * not be said to an HTTP/1.1 backend in the same words.
 */
export function refusalOf(request: Http2Request, { headerBytes }: HeadLimits): RequestRefusal | null {
  const { method, target, authority } = request;
  if (request.fieldCount > maxFields) return { status: 431, code: 'too-many-fields' };
  if (request.listBytes > headerBytes) return { status: 431, code: 'head-too-large' };
  if (method !== 'GET' && !isImplemented(method)) return { status: 501, code: 'unknown-method' };
  if (target.length > defaultTargetBytes) return { status: 414, code: 'target-too-long' };
  const plainConnect = method === 'CONNECT' && request.upgrade === null;
  if (!plainConnect && !isTarget(method, target)) return { status: 400, code: 'target' };
  if (!isAuthority(authority))
    return { status: 400, code: authority === '' ? 'host-missing' : 'host-invalid' };
  // What DATA has is held against it as it comes.
  if (!request.hasBody && request.contentLength > 0) return { status: 400, code: 'length-without-body' };
  return isHostSame(request) ? null : { status: 400, code: 'host-differs' };
}

function isImplemented(method: string): boolean {
  const bytes = Buffer.from(method, 'latin1');
  return methodOf(bytes, 0, bytes.length) !== undefined;
}

function isTarget(method: string, target: string): boolean {
  if (target.charCodeAt(0) === 0x2f) return consistsOf(target, targetByte);
  return target === '*' && method === 'OPTIONS';
}

function isAuthority(authority: string): boolean {
  if (authority === '') return false;
  const bytes = Buffer.from(authority, 'latin1');
  return bytes.length === authority.length && portColon(bytes, 0, bytes.length) >= 0;
}

/** Host must say what `:authority` says (RFC 9113 §8.3.1). */
function isHostSame({ fields, authority, scheme }: Http2Request): boolean {
  const host = fields.field('host');
  if (host === undefined || host === authority) return true;
  return withoutPort(host, scheme) === withoutPort(authority, scheme);
}

function withoutPort(authority: string, scheme: 'http' | 'https'): string {
  const lower = authority.toLowerCase();
  const port = scheme === 'https' ? ':443' : ':80';
  return lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
}

/** Names and values in turn as fields after a body; null where there are none. */
export function trailersOf(raw: readonly string[]): Trailers {
  const fields: Field[] = [];
  for (let i = 0; i < raw.length; i += 2) fields.push([raw[i]!, raw[i + 1]!]);
  return fields.length === 0 ? null : fields;
}
