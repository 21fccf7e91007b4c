import type { ResolvedRoute } from '../config/resolved.ts';
import type { RequestEntry } from './access-log.ts';
import type { ClientStream } from './exchange.ts';

/** What one request leaves for the access log, written down as it happens. Exists only where somebody reads it. */
export class RequestNotes {
  readonly #client: ClientStream;
  readonly #startedAt: number;
  readonly #head: Pick<RequestEntry, 'requestId' | 'method' | 'scheme' | 'host' | 'path' | 'version'>;
  #route: string | null = null;
  #target: string | null = null;
  #queueMs: number | null = null;
  #connectMs: number | null = null;
  #firstByteMs: number | null = null;
  #status: number | null = null;
  #reused = false;
  #retried = false;

  /** Within `onRequest`: the head's texts are gone later. */
  constructor(client: ClientStream, requestId: string, now: number) {
    this.#client = client;
    this.#startedAt = now;
    const { method, scheme, host, path, version } = client.request;
    this.#head = { requestId, method, scheme, host, path, version };
  }

  routed(route: ResolvedRoute): void {
    this.#route = route.name;
  }

  acquiring(target: string): void {
    this.#target = target;
  }

  connected(reused: boolean, openedMs: number, now: number): void {
    this.#reused = reused;
    this.#connectMs = rounded(openedMs);
    this.#queueMs = rounded(Math.max(0, now - this.#startedAt - openedMs));
  }

  repeated(): void {
    this.#retried = true;
  }

  responded(status: number, now: number): void {
    this.#status = status;
    this.#firstByteMs = rounded(now - this.#startedAt);
  }

  /** @param status where the answer is our own; null: the backend's, or none */
  entry(
    error: string | null,
    status: number | null,
    bytes: RequestEntry['bytes'],
    now: number,
  ): RequestEntry {
    const { record } = this.#client;
    return {
      ...this.#head,
      connection: record.id,
      client: record.clientAddress.ip,
      route: this.#route,
      target: this.#target,
      status: status ?? this.#status,
      bytes,
      times: {
        queueMs: this.#queueMs,
        connectMs: this.#connectMs,
        firstByteMs: this.#firstByteMs,
        totalMs: rounded(now - this.#startedAt),
      },
      reused: this.#reused,
      retried: this.#retried,
      error,
    };
  }
}

/** To the microsecond. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
