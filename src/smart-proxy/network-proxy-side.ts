import { SmartProxyError } from '../base/errors.ts';
import type { ChallengeAnswers } from '../certificates/acme/challenges/challenge-answers.ts';
import { readBridgeSecret } from '../certificates/bridge-secret.ts';
import type { CertificateStatus } from '../certificates/certificate-source.ts';
import type { ResolvedNetworkProxy, ResolvedOptions } from '../config/resolved.ts';
import { type BridgeEnd, NetworkProxyBridge } from '../forwarding/network-proxy-bridge.ts';
import type { ForwardingServices } from '../forwarding/services.ts';
import type { NetworkProxyStatistics } from '../network-proxy/connection-tracking.ts';
import { Engine, type EngineServices } from '../network-proxy/engine.ts';
import {
  ConfigurationLoader,
  type LoadedConfiguration,
  type LoaderServices,
} from '../network-proxy/engine-configuration.ts';
import type { RouteIndex } from '../routing/route-index.ts';

/** What a configuration needs that is read here; loaded, and not in force yet. */
export interface PreparedSide {
  readonly end: 'in-process' | Extract<BridgeEnd, { mode: 'loopback' }>;
  /** Null with the loopback: keys and certificates are the other process's. */
  readonly loaded: LoadedConfiguration | null;
}

export type SideServices = EngineServices & ForwardingServices & LoaderServices;

export const noNetworkProxy: NetworkProxyStatistics = Object.freeze({
  connectedClients: 0,
  portProxyConnections: 0,
  tlsTerminatedConnections: 0,
  requests: 0,
  pools: Object.freeze([]),
});

/**
 * NetworkProxy as a part of SmartProxy: the bridge, and what is at its other end where that is in
 * this process. Nothing of it exists before a route asks for it.
 */
export class NetworkProxySide {
  readonly #services: SideServices;
  readonly #alone: boolean;
  readonly #loader: ConfigurationLoader;
  #loaded: LoadedConfiguration | null = null;
  #engine: Engine | null = null;
  #ordered: Promise<void> = Promise.resolve();
  bridge: NetworkProxyBridge | null = null;

  /** @param alone whether this process is no SmartProxy: then it is itself the other end of a bridge */
  constructor(services: SideServices, alone: boolean) {
    this.#services = services;
    this.#alone = alone;
    this.#loader = new ConfigurationLoader(services);
  }

  /** Null where nothing is read here. Rejects with SmartProxyError where something cannot be loaded. */
  async prepare(options: ResolvedOptions, index: RouteIndex): Promise<PreparedSide | null> {
    if ([...index.sites].length === 0) return null;
    if (options.networkProxy.bridge === 'loopback' && !this.#alone) {
      return { end: await loopbackEnd(options.networkProxy), loaded: null };
    }
    return { end: 'in-process', loaded: await this.#loader.load(options, index) };
  }

  /** Cannot fail: what could has been prepared. */
  use(prepared: PreparedSide | null): void {
    const former = this.#loaded;
    if (prepared !== null) this.#useEnd(prepared);
    this.#loaded = prepared?.loaded ?? null;
    this.#loader.automatic.use(this.#loaded?.automatic ?? null);
    former?.certificates.close();
  }

  /** What is not used after all. */
  discard(prepared: PreparedSide | null): void {
    prepared?.loaded?.certificates.close();
    this.#loader.automatic.discard(prepared?.loaded?.automatic ?? null);
  }

  /** Every listener is bound: authorities that are asked for certificates can reach us. */
  started(): void {
    this.#loader.automatic.start();
  }

  /** What authorities are answered that prove names for us; null: nothing is ordered here. */
  get challenges(): ChallengeAnswers | null {
    return this.#loaded?.challenges ?? null;
  }

  /** Those that serve here; none with the loopback, where the other process has them. */
  certificates(): CertificateStatus[] {
    return this.#loaded?.certificates.list() ?? [];
  }

  /** Rejects with `no-such-certificate`, `certificates-elsewhere`, or what the attempt failed with. */
  async renew(name: string): Promise<CertificateStatus> {
    if (this.#loaded !== null || this.bridge === null) return this.#loader.automatic.renew(name);
    throw new SmartProxyError(
      'certificates-elsewhere',
      "with bridge 'loopback' certificates are ordered by the other process",
      { source: 'proxy' },
    );
  }

  #useEnd({ end, loaded }: PreparedSide): void {
    const bridgeEnd = end === 'in-process' ? this.#endpoint(loaded as LoadedConfiguration) : end;
    if (this.bridge !== null) return this.bridge.use(bridgeEnd);
    this.bridge = new NetworkProxyBridge(this.#services, bridgeEnd);
    this.#services.manager.observe(this.bridge);
  }

  #endpoint(loaded: LoadedConfiguration): BridgeEnd {
    if (this.#engine === null) this.#engine = new Engine(this.#services, loaded);
    else this.#engine.use(loaded);
    return { mode: 'in-process', endpoint: this.#engine.endpoint, alone: this.#alone };
  }

  statistics(): NetworkProxyStatistics {
    const { forwarded } = this.bridge ?? { forwarded: 0 };
    const counted = this.#engine?.statistics() ?? noNetworkProxy;
    const { connectedClients, portProxyConnections } = counted;
    return {
      ...counted,
      connectedClients: connectedClients + forwarded,
      portProxyConnections: portProxyConnections + forwarded,
    };
  }

  routesInUse(): ReadonlySet<string> {
    return this.#engine?.routesInUse() ?? new Set();
  }

  endRequestsOf(route: string): void {
    this.#engine?.endRequestsOf(route);
  }

  drain(): void {
    this.#engine?.drain();
    this.#ordered = this.#loader.automatic.close();
  }

  /** Resolves when nothing is ordered any more. After `drain`. */
  async finished(): Promise<void> {
    await this.#ordered;
  }

  /** After the last connection has ended. */
  close(): void {
    this.#engine?.close();
    this.#loaded?.certificates.close();
    this.#loaded = null;
  }
}

async function loopbackEnd({ port, secretFile }: ResolvedNetworkProxy): Promise<PreparedSide['end']> {
  if (port === null || secretFile === null) {
    throw new SmartProxyError('invalid-configuration', "bridge: 'loopback' needs port and secretFile", {
      source: 'config',
    });
  }
  return { mode: 'loopback', port, secret: await readBridgeSecret(secretFile) };
}
