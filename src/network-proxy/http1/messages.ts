import type { HttpRequest, HttpResponse } from '../exchange.ts';
import { headMayTell } from '../headers/telling-names.ts';
import type { Framing } from './framing.ts';
import type { Head, RequestHead, ResponseHead } from './head.ts';

/** A request of an HTTP/1 connection as the seam shows it. One for each connection, used again. */
export class Http1Request implements HttpRequest {
  readonly scheme: 'http' | 'https';
  #head: RequestHead | null = null;
  #kept = false;

  constructor(tls: boolean) {
    this.scheme = tls ? 'https' : 'http';
  }

  begin(head: RequestHead): void {
    this.#head = head;
    this.#kept = false;
  }

  get http1(): RequestHead {
    return this.#head as RequestHead;
  }

  get version(): '1.0' | '1.1' {
    return this.http1.minorVersion === 0 ? '1.0' : '1.1';
  }

  get method(): string {
    return this.http1.method;
  }

  get authority(): string {
    return this.http1.authority;
  }

  get host(): string {
    return this.http1.host;
  }

  get target(): string {
    return this.http1.originTarget;
  }

  get path(): string {
    return this.http1.path;
  }

  get contentLength(): number {
    return this.http1.contentLength;
  }

  get hasBody(): boolean {
    return this.http1.framing.kind !== 'none';
  }

  /** Without `h2c`: HTTP/2 in a tunnel would get past everything that is decided for each request. */
  get upgrade(): string | null {
    const protocols = this.http1.upgrade;
    return protocols === null || !/h2c/i.test(protocols) ? protocols : withoutH2c(protocols);
  }

  get expectContinue(): boolean {
    return this.http1.expectContinue;
  }

  get mayTellOfClients(): boolean {
    return headMayTell(this.http1);
  }

  field(name: string): string | undefined {
    return this.http1.field(name);
  }

  values(name: string): string[] {
    return this.http1.values(name);
  }

  eachField(visit: (name: string, value: string) => void): void {
    visitFields(this.http1, visit);
  }

  keep(): void {
    if (this.#kept) return;
    this.#kept = true;
    this.http1.keep();
  }
}

function withoutH2c(protocols: string): string | null {
  const others = protocols.split(',').filter((protocol) => protocol.trim().toLowerCase() !== 'h2c');
  return others.length === 0 ? null : others.join(',').trim();
}

/** An answer of an HTTP/1 backend as the seam shows it. One for each connection, used again. */
export class Http1Response implements HttpResponse {
  #head: ResponseHead | null = null;
  body: HttpResponse['body'] = 'none';

  begin(head: ResponseHead, framing: Framing): void {
    this.#head = head;
    const { kind } = framing;
    this.body = kind === 'until-close' ? 'until-end' : kind === 'tunnel' ? 'none' : kind;
  }

  get http1(): ResponseHead {
    return this.#head as ResponseHead;
  }

  get status(): number {
    return this.http1.status;
  }

  get contentLength(): number {
    return this.http1.contentLength;
  }

  field(name: string): string | undefined {
    return this.http1.field(name);
  }

  values(name: string): string[] {
    return this.http1.values(name);
  }

  eachField(visit: (name: string, value: string) => void): void {
    visitFields(this.http1, visit);
  }
}

function visitFields(head: Head, visit: (name: string, value: string) => void): void {
  for (let index = 0; index < head.fieldCount; index++) visit(head.nameAt(index), head.valueAt(index));
}
