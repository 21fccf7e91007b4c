import type { ClientListener, ClientStream } from './exchange.ts';
import { ProxiedExchange } from './proxied-exchange.ts';
import { type ForwarderServices, type MatchRequest, RequestPlanner } from './request-planner.ts';

/** Takes the requests of one entrance, whatever their protocol, and forwards each. */
export class Forwarder {
  readonly #planner: RequestPlanner;
  readonly #services: ForwarderServices;
  /** Requests that came, ever. */
  requests = 0;

  constructor(services: ForwarderServices, match: MatchRequest) {
    this.#services = services;
    this.#planner = new RequestPlanner(services, match);
  }

  /** As an inbound protocol's `onRequest`. */
  readonly take = (stream: ClientStream): ClientListener => {
    const exchange = new ProxiedExchange(this.#planner, stream, ++this.requests);
    exchange.start();
    return exchange;
  };

  /** As an inbound protocol's `onRefused`. */
  readonly refused = (status: number): void => this.#services.meter?.requestRefused(status);
}
