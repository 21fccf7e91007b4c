import type { RequestEntry } from '../../../src/network-proxy/access-log.ts';
import type { AnswerPlan } from './answers.ts';
import type { HttpBackend } from './backend.ts';
import type { Message } from './message-reader.ts';

/** One request as it came to a backend. */
export interface Arrival {
  readonly token: string;
  /** How often the request had come to some backend before: its number, whatever the order was. */
  readonly attempt: number;
  readonly backend: HttpBackend;
  /** The request: its body as far as it came. */
  readonly message: Message;
  readonly plan: AnswerPlan;
  /** Where the answer begins in what the backend sends. */
  readonly answerFrom: number;
  /** Where it ends; null: it was not written to its end. */
  answerTo: number | null;
}

/** An entry of the access log, and when it was written. */
export interface LoggedRequest extends RequestEntry {
  readonly at: number;
  /** The pool of its target had as many connections as it may. */
  readonly wasFull: boolean;
}

/** What is written down in a world of HTTP, for the invariants. */
export class Journal {
  readonly backends: HttpBackend[] = [];
  readonly #arrivals = new Map<string, Arrival[]>();
  readonly #logged = new Map<string, LoggedRequest[]>();
  /** Entries of the access log. */
  requests = 0;
  /** Writes of the proxy to backends. */
  writes = 0;

  arrived(arrival: Arrival): void {
    this.#arrivals.set(arrival.token, [...this.arrivalsOf(arrival.token), arrival]);
  }

  /** Every arrival of a request, in the order in which the proxy sent it: what was sent first may come last. */
  arrivalsOf(token: string): readonly Arrival[] {
    const arrivals = this.#arrivals.get(token) ?? [];
    return arrivals.length < 2 ? arrivals : [...arrivals].sort((a, b) => sentAt(a) - sentAt(b));
  }

  /** The backend that saw only a part of the request's head. */
  partialBackendOf(token: string): HttpBackend | undefined {
    return this.backends.find(({ reader }) => reader.rest.includes(`/${token}?`));
  }

  get arrivals(): readonly Arrival[] {
    return [...this.#arrivals.values()].flat();
  }

  log(entry: LoggedRequest): void {
    this.requests++;
    this.#logged.set(entry.connection, [...this.loggedOf(entry.connection), entry]);
  }

  /**
   * The requests of one connection, in their order. One that was answered in place of a backend is
   * logged when the connection went on already.
   */
  loggedOf(connection: string): readonly LoggedRequest[] {
    const logged = this.#logged.get(connection) ?? [];
    return [...logged].sort((a, b) => numberOf(a) - numberOf(b));
  }

  get connections(): Iterable<string> {
    return this.#logged.keys();
  }
}

function sentAt(arrival: Arrival): number {
  return arrival.backend.writeOf(arrival)?.order ?? 0;
}

/** Requests are numbered as they come, over all connections. */
function numberOf({ requestId }: LoggedRequest): number {
  return Number(requestId.slice(requestId.lastIndexOf('-') + 1));
}
