import { createHash } from 'node:crypto';
import type { HttpResponse } from '../exchange.ts';
import { FieldList } from './field-list.ts';

/** A backend's answer that came by HTTP/2 as the seam shows it. */
export class Http2Response implements HttpResponse {
  readonly http1 = null;
  readonly status: number;
  readonly body: HttpResponse['body'];
  readonly fields = new FieldList();

  /**
   * @param raw names and values in turn
   * @param ended nothing follows
   */
  constructor(raw: readonly string[], ended: boolean, status = statusIn(raw)) {
    this.status = status;
    for (let i = 0; i < raw.length; i += 2) {
      if (raw[i]!.charCodeAt(0) !== 0x3a) this.fields.add(raw[i]!, raw[i + 1]!);
    }
    this.body = ended ? 'none' : this.contentLength < 0 ? 'until-end' : 'length';
  }

  get contentLength(): number {
    return this.fields.contentLength;
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
}

function statusIn(raw: readonly string[]): number {
  const place = raw.indexOf(':status');
  return place < 0 ? 0 : Number(raw[place + 1]);
}

/** The success of an extended CONNECT as HTTP/1.1 would tell it: 101, with the answer to the client's key. */
export function upgradedResponse(
  raw: readonly string[],
  protocol: string,
  key: string | undefined,
): Http2Response {
  const response = new Http2Response(raw, true, 101);
  response.fields.add('upgrade', protocol);
  if (key !== undefined) response.fields.add('sec-websocket-accept', acceptOf(key));
  return response;
}

/** RFC 6455 §1.3. */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
