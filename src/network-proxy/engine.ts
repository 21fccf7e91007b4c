import type { Clock } from '../base/clock.ts';
import { DeadlineQueue } from '../base/deadline-queue.ts';
import type { Logger } from '../base/logger.ts';
import { AddressSet } from '../base/prefix-trie.ts';
import type { Dial } from '../base/transport.ts';
import type { ChallengeAnswers } from '../certificates/acme/challenges/challenge-answers.ts';
import type { CertificateSource } from '../certificates/certificate-source.ts';
import type { TargetContexts } from '../certificates/target-contexts.ts';
import type { Limits, ResolvedOptions } from '../config/resolved.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { TimeoutManager } from '../connection/timeout-manager.ts';
import type { HttpSite } from '../routing/http-site.ts';
import type { RouteIndex } from '../routing/route-index.ts';
import type { SecurityManager } from '../security/security-manager.ts';
import type { TargetSelectors } from '../targets/target-selectors.ts';
import type { TransportResources } from '../transport/socket-transport.ts';
import type { Meter, RequestEntry, RequestObserver } from './access-log.ts';
import { ConnectionTracking, type NetworkProxyStatistics } from './connection-tracking.ts';
import type { ClientListener } from './exchange.ts';
import { Forwarder } from './forwarder.ts';
import type { HeadLimits } from './http1/head-limits.ts';
import { Http1Server } from './http1/http1-server.ts';
import { offeredProtocols, poolCreator } from './http2/create-pool.ts';
import { Http2Server } from './http2/http2-server.ts';
import type { PoolSettings } from './pool/http1-pool.ts';
import { Pools } from './pool/pools.ts';
import type { ForwarderServices } from './request-planner.ts';
import type { RequestTracer } from './request-trace.ts';
import { SiteRequests } from './site-requests.ts';
import { TerminatingEndpoint } from './terminating-endpoint.ts';
import { createSecureClient } from './tls-client.ts';

/** What a reload exchanges, all at once. */
export interface EngineConfiguration {
  readonly options: ResolvedOptions;
  readonly index: RouteIndex;
  readonly certificates: CertificateSource;
  readonly targetContexts: TargetContexts;
  /** What authorities are answered that prove names for us; null: nothing is ordered. */
  readonly challenges: ChallengeAnswers | null;
}

export interface EngineServices {
  readonly clock: Clock;
  readonly log: Logger;
  readonly manager: ConnectionManager;
  readonly timeouts: TimeoutManager;
  readonly security: SecurityManager;
  readonly selectors: TargetSelectors;
  readonly resources: TransportResources;
  readonly dial: Dial;
  /** Null: nobody counts. */
  readonly meter: Meter | null;
  /** Null: nobody follows requests. */
  readonly tracer: RequestTracer | null;
  /** Takes a decrypted connection whose route has it as a whole; `record.client` is what to read. */
  readonly whole: (record: ConnectionRecord) => void;
  /** Default 1,024 connections and 4,096 requests. */
  readonly backendLimits?: BackendLimits;
}

/** To one backend at once; what comes beyond it waits, and then is refused. */
export type BackendLimits = Pick<PoolSettings, 'maxConnections' | 'maxWaiting'>;

const defaultBackendLimits: BackendLimits = { maxConnections: 1024, maxWaiting: 4096 };

/** NetworkProxy without its listeners: TLS, HTTP, and the pools of connections to backends. */
export class Engine {
  readonly endpoint: TerminatingEndpoint;
  readonly tracking: ConnectionTracking;
  readonly #log: Logger;
  readonly #deadlines: DeadlineQueue;
  readonly #pools: Pools;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  readonly #forwarder: Forwarder;
  readonly #sites: SiteRequests;
  #configuration: EngineConfiguration;
  #trusted: AddressSet;

  constructor(services: EngineServices, configuration: EngineConfiguration) {
    const { clock, manager, timeouts, resources, log, meter } = services;
    this.#log = log;
    this.#configuration = configuration;
    this.#trusted = new AddressSet(configuration.options.trustForwarded);
    this.#deadlines = new DeadlineQueue(clock);
    this.#pools = this.#createPools(services);
    this.#http1 = new Http1Server({ clock, manager, deadlines: this.#deadlines });
    this.#http2 = new Http2Server({ clock, manager, deadlines: this.#deadlines });
    this.#sites = new SiteRequests({
      routes: () => this.#configuration.index,
      certificates: () => this.#configuration.certificates,
      trustForwarded: () => this.#trusted,
    });
    this.#forwarder = new Forwarder(this.#forwarderServices(services), this.#sites.match);
    this.tracking = new ConnectionTracking(clock, () => this.#pools.statistics);
    this.endpoint = new TerminatingEndpoint({
      services: {
        ...{ clock, manager, timeouts, resources, meter },
        certificates: () => this.#configuration.certificates,
      },
      protocols: {
        http1: (record, transport, site, { tls, firstBytes }) =>
          this.#http1.serve(record, transport, { ...this.#entrance(record, site), tls, firstBytes }),
        http2: (record, transport, site, { tls, firstBytes }) =>
          this.#http2.serve(record, transport, { ...this.#entrance(record, site), tls, firstBytes }),
        whole: services.whole,
      },
      tracking: this.tracking,
    });
  }

  /** What requests of a connection go by. Its site is looked for by key, so that a reload is seen. */
  #entrance(record: ConnectionRecord, site: HttpSite) {
    this.#sites.remember(record, site);
    const { limits } = record.route ?? this.#configuration.options;
    const { take: onRequest, refused: onRefused } = this.#forwarder;
    return { limits: headLimits(limits), onRequest, onRefused };
  }

  #createPools({ clock, dial, resources, backendLimits = defaultBackendLimits }: EngineServices): Pools {
    const contextFor = (tls: Parameters<TargetContexts['contextFor']>[0]) =>
      this.#configuration.targetContexts.contextFor(tls);
    const secure = createSecureClient({ resources, contextFor, protocols: offeredProtocols });
    const services = { clock, deadlines: this.#deadlines, dial, secure, resources };
    const limits = headLimits(this.#configuration.options.limits);
    return new Pools({
      services,
      settings: { ...backendLimits, limits },
      create: poolCreator(services),
    });
  }

  #forwarderServices({ clock, security, selectors, meter, tracer }: EngineServices): ForwarderServices {
    const observer: RequestObserver = { requestEnded: (entry) => this.#logRequest(entry) };
    const logged = (): boolean => this.#configuration.options.log.requests;
    return {
      ...{ clock, selectors, meter, tracer, deadlines: this.#deadlines, pools: this.#pools },
      trustForwarded: () => this.#trusted,
      challenges: () => this.#configuration.challenges,
      headLimits: () => headLimits(this.#configuration.options.limits),
      admit: (route, record) => security.admitRequest(route, record.clientAddress.ip),
      release: (route, record) => security.releaseRequest(route, record.clientAddress.ip),
      get observer() {
        return logged() ? observer : null;
      },
    };
  }

  #logRequest(entry: RequestEntry): void {
    this.#log.info('request', { ...entry });
  }

  /** Connections stay: their next request, and the next handshake, see the new configuration. */
  use(configuration: EngineConfiguration): void {
    this.#configuration = configuration;
    this.#trusted = new AddressSet(configuration.options.trustForwarded);
    this.endpoint.reloaded();
  }

  statistics(): NetworkProxyStatistics {
    return { ...this.tracking.statistics(), requests: this.#forwarder.requests };
  }

  *#exchanges(): Iterable<ClientListener> {
    yield* this.#http1.exchanges();
    yield* this.#http2.exchanges();
  }

  /** The names of routes that requests under way have taken. */
  routesInUse(): Set<string> {
    const names = new Set<string>();
    for (const { route } of this.#exchanges()) if (route !== null) names.add(route.name);
    return names;
  }

  /** Ends the requests and tunnels of a route that is no more. */
  endRequestsOf(name: string): void {
    const gone = [...this.#exchanges()].filter(({ route }) => route?.name === name);
    for (const exchange of gone) exchange.onRouteRemoved();
  }

  /** Idle connections end, others with the answer that is under way. */
  drain(): void {
    this.#http1.drain();
    this.#http2.drain();
  }

  /** After the last connection has ended. */
  close(): void {
    this.#pools.close();
    this.#deadlines.clear();
  }
}

/** 0 in a configuration is no limit. */
function headLimits({ headerBytes }: Limits): HeadLimits {
  return { headerBytes: headerBytes || Number.MAX_SAFE_INTEGER };
}
