import type { RouteContext } from '../config/resolved.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { HttpRequest } from './exchange.ts';

/** What a user's function is told of a request. Made of texts only where it is asked. */
export class RequestContext implements RouteContext {
  readonly route: string;
  readonly #record: ConnectionRecord;
  readonly #request: HttpRequest;
  #told: NonNullable<RouteContext['request']> | null = null;
  #controller: AbortController | null = null;
  #aborted = false;

  /** `request` is read as long as the context is used: keep it before anything waits. */
  constructor(record: ConnectionRecord, request: HttpRequest, route: string) {
    this.#record = record;
    this.#request = request;
    this.route = route;
  }

  get connectionId(): string {
    return this.#record.id;
  }

  get client(): { ip: string; port: number } {
    const { ip, port } = this.#record.clientAddress;
    return { ip, port };
  }

  get localPort(): number {
    return this.#record.localPort;
  }

  get tls(): boolean {
    return this.#request.scheme === 'https';
  }

  get serverName(): string | undefined {
    return this.#record.hello?.serverName ?? undefined;
  }

  /** What was agreed on for the connection. */
  get alpn(): string | undefined {
    return this.#record.alpn ?? undefined;
  }

  get request(): NonNullable<RouteContext['request']> {
    if (this.#told === null) {
      const { method, host, path } = this.#request;
      this.#told = { method, host, path, headers: headersOf(this.#request) };
    }
    return this.#told;
  }

  /** Reads the request now: who has the context may ask when the connection brings the next one. */
  keep(): this {
    void this.request;
    return this;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  /** The request is over. */
  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}

function headersOf(request: HttpRequest): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null);
  request.eachField((name, value) => {
    const key = name.toLowerCase();
    const earlier = headers[key];
    if (earlier === undefined) headers[key] = value;
    else headers[key] = Array.isArray(earlier) ? [...earlier, value] : [earlier, value];
  });
  return headers;
}
