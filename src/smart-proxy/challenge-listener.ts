import type { Clock, Timer } from '../base/clock.ts';
import { errorCode, errorMessage, SmartProxyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ChallengePort } from '../certificates/acme/challenges/challenge-solver.ts';
import type { Limits, ResolvedRoute, Timeouts } from '../config/resolved.ts';
import { PortTable } from '../routing/port-table.ts';
import type { ListenerSet } from './listener-set.ts';
import { portHolder } from './port-holder.ts';

export interface ChallengeListenerServices {
  readonly clock: Clock;
  readonly log: Logger;
  readonly listeners: () => ListenerSet;
  /** The routes in force of all listeners at a port; null: there is none. */
  readonly routesAt: (port: number) => readonly ResolvedRoute[] | null;
  readonly settings: () => { readonly timeouts: Timeouts; readonly limits: Limits };
}

/** Orders follow one another: the port is not closed and opened again between two. */
const lingerMs = 5_000;

/** The route that connections to the port of challenges show: what is no challenge of ours gets its 404. */
const routeName = 'acme-challenges';

/**
 * The port where authorities ask for HTTP-01, where no route of ours has it: open only while an
 * order waits for it. Where a route has it, its listener answers, and nothing is opened.
 */
export class ChallengeListener implements ChallengePort {
  readonly #services: ChallengeListenerServices;
  #holders = 0;
  #opening: Promise<void> | null = null;
  #open: { readonly key: string; readonly port: number; readonly table: PortTable } | null = null;
  #wantedPort: number | null = null;
  #linger: Timer | null = null;
  #closed = false;

  constructor(services: ChallengeListenerServices) {
    this.#services = services;
  }

  async open(port: number): Promise<() => void> {
    this.#holders++;
    this.#linger?.cancel();
    this.#wantedPort = port;
    try {
      await this.#ensure(port);
    } catch (error) {
      this.#leave();
      throw error;
    }
    let held = true;
    return () => {
      if (held) this.#leave();
      held = false;
    };
  }

  /** What connections to the port can take. Undefined for every other listener. */
  table(key: string): PortTable | undefined {
    return this.#open?.key === key ? this.#open.table : undefined;
  }

  /** The routes were exchanged: the listener that answered may be gone. Never rejects. */
  async reloaded(): Promise<void> {
    if (this.#holders === 0 || this.#wantedPort === null) return;
    await this.#ensure(this.#wantedPort).catch((error) => {
      this.#services.log.warn('challenge-port-unavailable', { error: errorMessage(error) });
    });
  }

  close(): void {
    this.#closed = true;
    this.#linger?.cancel();
    this.#shut();
  }

  async #ensure(port: number): Promise<void> {
    await this.#opening;
    if (this.#closed) throw unavailable(port, 'the proxy stops');
    const routes = this.#services.routesAt(port);
    if (routes !== null) return refuseUnreadable(port, routes);
    if (this.#open !== null && this.#services.listeners().has(this.#open.key)) return;
    this.#opening = this.#bind(port).finally(() => {
      this.#opening = null;
    });
    await this.#opening;
  }

  async #bind(port: number): Promise<void> {
    const key = `*:${port}`;
    const route = this.#route(port);
    try {
      await this.#services.listeners().addTemporary({ key, address: null, port, routes: [route] });
    } catch (error) {
      throw naming(port, error);
    }
    this.#open = { key, port, table: new PortTable([route], key) };
    if (this.#closed) this.#shut();
    else this.#services.log.info('challenge-port-opened', { port });
  }

  #leave(): void {
    this.#holders--;
    if (this.#holders > 0 || this.#closed) return;
    this.#linger?.cancel();
    this.#linger = this.#services.clock.setTimer(lingerMs, () => {
      if (this.#holders === 0) this.#shut();
    });
  }

  #shut(): void {
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    if (this.#services.listeners().removeTemporary(open.key)) {
      this.#services.log.info('challenge-port-closed', { port: open.port });
    }
  }

  #route(port: number): ResolvedRoute {
    const { timeouts, limits } = this.#services.settings();
    const any = { domains: null, path: null, methods: null, headers: null, clientIp: null, alpn: null };
    return {
      ...{ name: routeName, order: 0, priority: 0, tls: null, inheritsTls: false, timeouts, limits },
      match: { ports: [{ from: port, to: port }], address: null, protocol: 'http', ...any },
      action: { type: 'respond', status: 404, headers: {}, body: '' },
      security: { allow: [], block: [] },
      fingerprint: routeName,
    };
  }
}

/** A route that takes connections without reading them answers nobody for us. */
function refuseUnreadable(port: number, routes: readonly ResolvedRoute[]): void {
  const isRead = routes.some(({ match }) => match.protocol !== 'tcp');
  const [route] = routes;
  if (isRead || route === undefined) return;
  throw unavailable(port, `the route '${route.name}' has it, and does not read HTTP`);
}

function naming(port: number, error: unknown): SmartProxyError {
  const holder = errorCode(error) === 'port-taken' ? portHolder(port) : undefined;
  return unavailable(port, holder === undefined ? errorMessage(error) : `${holder} has it`, error);
}

function unavailable(port: number, why: string, cause?: unknown): SmartProxyError {
  return new SmartProxyError('challenge-unavailable', `port ${port} cannot be used: ${why}`, {
    source: 'proxy',
    retryable: true,
    cause,
  });
}
