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
import { resolveHttp } from '../config/resolve-http.ts';
import type { ResolvedForward, ResolvedRoute } from '../config/resolved.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { Selection, TargetSelector } from '../targets/target-selector.ts';
import { encodeProxyHeader } from '../transport/proxy-header.ts';
import type { WriteStaging } from '../transport/write-staging.ts';
import type { Meter, RequestObserver } from './access-log.ts';
import type { ClientStream, HttpRequest, LocalAnswer, RequestChanges } from './exchange.ts';
import { type AddedMemory, HeaderRules } from './headers/header-rules.ts';
import type { HeadLimits } from './http1/head-limits.ts';
import { challengeAnswer } from './local-answers.ts';
import type { KeptPool, Pools } from './pool/pools.ts';
import { type RequestTrace, type RequestTracer, traced } from './request-trace.ts';

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
  readonly staging: WriteStaging;
  /** Null: nobody hears of requests, and nothing is kept for it. */
  readonly observer: RequestObserver | null;
  /** Null: nobody counts. */
  readonly meter: Meter | null;
  /** Null: nobody follows requests. */
  readonly tracer: RequestTracer | null;
}

export type ForwardRoute = ResolvedRoute & { readonly action: ResolvedForward };

/** What is remembered of a route: made from it once. */
interface RouteMemory {
  readonly rules: HeaderRules;
  /** Pools by the place of the target, where the target is the same for every request. */
  readonly pools: (KeptPool | undefined)[];
}

/** Answers what an exchange asks on its way: which route, which changes to its head, which pool. */
export class RequestPlanner {
  readonly services: ForwarderServices;
  readonly #match: MatchRequest;
  readonly #routes = new WeakMap<ResolvedRoute, RouteMemory>();
  readonly #connections = new WeakMap<ConnectionRecord, AddedMemory>();

  constructor(services: ForwarderServices, match: MatchRequest) {
    this.services = services;
    this.#match = match;
  }

  match(stream: ClientStream): ReturnType<MatchRequest> {
    return this.#match(stream.request, stream.record);
  }

  /** The answer to an authority that proves a name for us; null: the request is none of these (C3). */
  challengeAnswer({ path, method, host }: HttpRequest): Answer<LocalAnswer> {
    const challenges = this.services.challenges();
    if (challenges === null) return null;
    const token = method === 'GET' || method === 'HEAD' ? tokenOf(path) : null;
    if (token === null) return null;
    const answer = challenges.http(host, token);
    if (!(answer instanceof Promise)) return answer === null ? null : challengeAnswer(answer);
    return answer.then((text) => (text === null ? null : challengeAnswer(text)));
  }

  rulesOf(route: ResolvedRoute): HeaderRules {
    return this.#memoryOf(route).rules;
  }

  /** What changes in a request's head for the one who gets it. */
  changesFor(
    route: ResolvedRoute,
    { record, request }: ClientStream,
    endpoint: Endpoint,
    trace: RequestTrace | null,
  ): RequestChanges {
    const { ip } = record.clientAddress;
    const sender = { ip, trusted: this.services.trustForwarded().has(ip) };
    const changes = this.rulesOf(route).request(request, sender, endpoint, this.#addedOf(record));
    return trace === null ? changes : traced(changes, request, trace);
  }

  /** What was added to the last request of a client's connection. */
  #addedOf(record: ConnectionRecord): AddedMemory {
    let memory = this.#connections.get(record);
    if (memory === undefined) {
      memory = { last: null };
      this.#connections.set(record, memory);
    }
    return memory;
  }

  poolOf(route: ForwardRoute, selection: Selection, record: ConnectionRecord): KeptPool {
    const { pools } = this.#memoryOf(route);
    const remembered = pools[selection.index];
    if (remembered !== undefined && !remembered.closed) return remembered;
    const { sendProxyProtocol, targets } = route.action;
    const { protocol, tls, host, port } = targets[selection.index]!;
    const proxyHeader = sendProxyProtocol === 0 ? null : proxyHeaderOf(record, sendProxyProtocol);
    const spec = { endpoint: selection.endpoint, protocol, tls, proxyHeader };
    const pool = this.services.pools.of(spec, route.timeouts.poolIdleMs);
    const fixed = typeof host !== 'function' && typeof port !== 'function' && port !== 'preserve';
    if (fixed && proxyHeader === null) pools[selection.index] = pool;
    return pool;
  }

  #memoryOf(route: ResolvedRoute): RouteMemory {
    let memory = this.#routes.get(route);
    if (memory === undefined) {
      const { action } = route;
      const http = action.type === 'forward' ? action.http : resolveHttp(undefined);
      memory = { rules: new HeaderRules(http), pools: [] };
      this.#routes.set(route, memory);
    }
    return memory;
  }
}

/** The same for every request of a client's connection: its requests may share a backend's. */
function proxyHeaderOf(record: ConnectionRecord, version: 1 | 2): Uint8Array {
  return encodeProxyHeader(version, {
    source: record.clientAddress,
    destination: record.outer?.destination ?? { ip: record.client.local.ip, port: record.localPort },
    tlvs: { uniqueId: record.id },
  });
}
