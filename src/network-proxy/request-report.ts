import type { ResolvedRoute } from '../config/resolved.ts';
import type { Meter } from './access-log.ts';
import type { ClientStream } from './exchange.ts';
import { RequestNotes } from './request-notes.ts';
import type { ForwarderServices } from './request-planner.ts';
import type { RequestTrace } from './request-trace.ts';

/** What is told of one request: to the access log, to the metrics, and to the story of its connection. */
export class RequestReport {
  /** For the access log; null: nobody reads it. */
  readonly notes: RequestNotes | null;
  /** Null: nobody follows requests. */
  readonly trace: RequestTrace | null;
  readonly #services: ForwarderServices;
  readonly #client: ClientStream;
  readonly #number: number;
  readonly #startedAt: number;
  readonly #method: string;
  /** Null once it has counted this request. */
  #meter: Meter | null;
  #route: string | null = null;
  #status: number | null = null;

  /** Within `onRequest`: the head's texts are gone later. */
  constructor(services: ForwarderServices, client: ClientStream, number: number) {
    const { observer, meter, tracer, clock } = services;
    this.#services = services;
    this.#client = client;
    this.#number = number;
    this.#meter = meter;
    this.#startedAt = client.record.lastActivityAt;
    this.#method = client.request.method;
    this.notes = observer === null ? null : new RequestNotes(client, this.requestId, clock.now());
    this.trace = tracer === null ? null : tracer.begin(client.request, client.record);
    client.record.requests++;
  }

  get requestId(): string {
    return `${this.#client.record.id}-${this.#number}`;
  }

  routed(route: ResolvedRoute): void {
    this.#route = route.name;
    this.notes?.routed(route);
  }

  responded(status: number, now: number): void {
    this.#status = status;
    this.notes?.responded(status, now);
  }

  /** The whole answer has come; `over` follows. */
  answered(now: number): void {
    this.#count(null, now);
  }

  /** HTTP is over: what follows has no duration that is a request's. */
  becameTunnel(): void {
    this.#count(null, this.#services.clock.now());
  }

  /**
   * @param error why it did not go well; null where it did
   * @param status where the answer is our own; null: the backend's, or none
   */
  over(error: string | null, status: number | null, bytes: { fromClient: number; toClient: number }): void {
    if (this.#meter !== null) this.#count(status, this.#services.clock.now());
    this.trace?.end(this.#route, status ?? this.#status, error);
    if (error !== null) this.#tellRecord(error, status);
    if (this.notes === null) return;
    const { observer, clock } = this.#services;
    observer?.requestEnded(this.notes.entry(error, status, bytes, clock.now()));
  }

  #tellRecord(error: string, status: number | null): void {
    this.#client.record.note(this.#services.clock.now(), 'request-failed', {
      requestId: this.requestId,
      method: this.#method,
      route: this.#route,
      status: status ?? this.#status,
      error,
    });
  }

  #count(status: number | null, now: number): void {
    const meter = this.#meter;
    if (meter === null) return;
    this.#meter = null;
    meter.requestOver(this.#route, this.#method, status ?? this.#status, now - this.#startedAt);
  }
}
