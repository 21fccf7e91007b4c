import type { Clock } from '../base/clock.ts';
import type { DeadlineQueue } from '../base/deadline-queue.ts';
import type { AddressSet } from '../base/prefix-trie.ts';
import type { TerminationReason } from '../base/termination.ts';
import type { Endpoint } from '../base/transport.ts';
import {
  type Answer,
  type ChallengeAnswers,
  tokenOf,
} from '../certificates/acme/challenges/challenge-answers.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { TargetSelector } from '../targets/target-selector.ts';
import type { Meter, RequestObserver } from './access-log.ts';
import type { ClientStream, HttpRequest, LocalAnswer, RequestChanges } from './exchange.ts';
import type { RememberedAddition } from './headers/header-rules.ts';
import type { HeadLimits } from './http1/head-limits.ts';
import { challengeAnswer } from './local-answers.ts';
import type { Pools } from './pool/pools.ts';
import { type RequestTrace, type RequestTracer, traced } from './request-trace.ts';
import { RoutePlan } from './route-plan.ts';

/**
 * Which route a request takes; or why none (404), that it came over a connection for another site
 * (421), or that servers would not agree on what its path is (400).
 */
export type MatchRequest = (
  request: HttpRequest,
  record: ConnectionRecord,
) => ResolvedRoute | 'no-route' | 'misdirected' | 'ambiguous-path';

export interface ForwarderServices {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly pools: Pools;
  readonly selectors: { of(route: ResolvedRoute): TargetSelector };
  /** What authorities are answered; null: nothing is ordered. */
  challenges(): ChallengeAnswers | null;
  /** Whose word about clients is kept. */
  trustForwarded(): AddressSet;
  /**
   * Whether one more request of a route is admitted: null, or why not. Each admitted one is
   * released once.
   */
  admit(route: ResolvedRoute, record: ConnectionRecord): TerminationReason | null;
  release(route: ResolvedRoute, record: ConnectionRecord): void;
  /** What the head of a handler's answer may be. */
  headLimits(): HeadLimits;
  /** Null: nobody hears of requests, and nothing is kept for it. */
  readonly observer: RequestObserver | null;
  /** Null: nobody counts. */
  readonly meter: Meter | null;
  /** Null: nobody follows requests. */
  readonly tracer: RequestTracer | null;
}

/** A client's connection, and by whose configuration it is trusted or not. */
interface Sender extends RememberedAddition {
  readonly ip: string;
  readonly trusted: boolean;
  readonly judgedBy: AddressSet;
}

/** Answers what an exchange asks on its way: which route, what is done with its requests, and for whom. */
export class RequestPlanner {
  readonly services: ForwarderServices;
  readonly #match: MatchRequest;
  readonly #plans = new WeakMap<ResolvedRoute, RoutePlan>();
  readonly #senders = new WeakMap<ConnectionRecord, Sender>();

  constructor(services: ForwarderServices, match: MatchRequest) {
    this.services = services;
    this.#match = match;
  }

  match(stream: ClientStream): ReturnType<MatchRequest> {
    return this.#match(stream.request, stream.record);
  }

  /** The answer to an authority that proves a name for us; null: the request is none of these (C3). */
  challengeAnswer(request: HttpRequest): Answer<LocalAnswer> {
    const challenges = this.services.challenges();
    if (challenges === null) return null;
    const { method } = request;
    const token = method === 'GET' || method === 'HEAD' ? tokenOf(request.path) : null;
    if (token === null) return null;
    const answer = challenges.http(request.host, token);
    if (!(answer instanceof Promise)) return answer === null ? null : challengeAnswer(answer);
    return answer.then((text) => (text === null ? null : challengeAnswer(text)));
  }

  planOf(route: ResolvedRoute): RoutePlan {
    let plan = this.#plans.get(route);
    if (plan === undefined) {
      const { selectors, pools } = this.services;
      plan = new RoutePlan(route, selectors.of(route), pools);
      this.#plans.set(route, plan);
    }
    return plan;
  }

  /** What changes in a request's head for the one who gets it. */
  changesFor(
    { rules }: RoutePlan,
    { record, request }: ClientStream,
    endpoint: Endpoint,
    trace: RequestTrace | null,
  ): RequestChanges {
    const changes = rules.request(request, this.#senderOf(record), endpoint);
    return trace === null ? changes : traced(changes, request, trace);
  }

  /** Who a client's connection is to backends. */
  #senderOf(record: ConnectionRecord): Sender {
    const trusted = this.services.trustForwarded();
    const known = this.#senders.get(record);
    if (known !== undefined && known.judgedBy === trusted) return known;
    const { ip } = record.clientAddress;
    const sender = { ip, trusted: trusted.has(ip), judgedBy: trusted, lastAdded: null };
    this.#senders.set(record, sender);
    return sender;
  }
}
