import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { TerminationReason } from '../base/termination.ts';
import type { Limits, ResolvedRoute } from '../config/resolved.ts';
import type { ConnectionObserver } from '../connection/connection-observer.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import { AccessList } from './access-list.ts';
import { RateTable } from './rate-table.ts';
import { RefusalLog } from './refusal-log.ts';
import { decrement, increment, RouteCounter } from './route-counter.ts';

/** What one record is counted for: exactly this is released when it has ended. */
interface Hold {
  process: boolean;
  address: string | null;
  route: string | null;
  /** The address that the route counts it under, where the route limits each address. */
  routeAddress: string | null;
}

/** For the audit: what is counted now. All are 0 when every connection has ended, but for rates. */
export interface SecuritySnapshot {
  /** Records that hold anything. */
  readonly held: number;
  readonly connections: number;
  readonly addresses: number;
  /** Addresses whose rate is remembered, at most two minutes. */
  readonly rateEntries: number;
  readonly routes: Readonly<Record<string, number>>;
}

const rotationMs = 60_000;

/**
 * Limits of connections for the process, each address and each route, connection rates, allow and
 * block lists. Synchronous: between a `check…` that returned null and the `hold…` after it nothing
 * else may run, and so exactly N are admitted (S1). A refusal takes nothing and is logged here,
 * many in one line (S3). Addresses are normalised (P6).
 */
export class SecurityManager implements ConnectionObserver {
  readonly #clock: Clock;
  readonly #refusals: RefusalLog;
  #limits: Limits;
  #connections = 0;
  readonly #addresses = new Map<string, number>();
  readonly #rates: RateTable;
  /** By name, so that counts outlive a reload, which drops those that count nothing. */
  readonly #routes = new Map<string, RouteCounter>();
  readonly #routeRates = new Map<string, RateTable>();
  readonly #holds = new Map<ConnectionRecord, Hold>();
  readonly #lists = new WeakMap<ResolvedRoute, AccessList>();
  #rotation: Timer | null = null;

  constructor(options: { clock: Clock; limits: Limits; log: Logger }) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#refusals = new RefusalLog(options.clock, options.log);
    this.#rates = new RateTable(options.clock);
  }

  /** After a reload. Counts stay: a lower limit ends nothing, it only admits no more. */
  setLimits(limits: Limits): void {
    this.#limits = limits;
    for (const [name, { active }] of this.#routes) if (active === 0) this.#routes.delete(name);
  }

  /** `checkProcess`, then `checkAddress`: for a peer that is the client itself. */
  check(ip: string): TerminationReason | null {
    return this.checkProcess(ip) ?? this.checkAddress(ip);
  }

  /** Whether the process takes one more. All that is checked of a peer that speaks for others. */
  checkProcess(ip = ''): TerminationReason | null {
    const full = reached(this.#connections, this.#limits.maxConnections);
    return full ? this.#refuse('connection-limit', ip) : null;
  }

  /** Whether the address may have one more. Where it may, this takes one from its rate. */
  checkAddress(ip: string): TerminationReason | null {
    const { maxConnectionsPerIp, connectionsPerMinutePerIp } = this.#limits;
    if (reached(this.activeFor(ip), maxConnectionsPerIp)) return this.#refuse('connection-limit', ip);
    if (connectionsPerMinutePerIp === 0) return null;
    this.#armRotation();
    return this.#rates.take(ip, connectionsPerMinutePerIp) ? null : this.#refuse('rate-limit', ip);
  }

  /** Counts a record for the process only: its client is not known yet. Idempotent. */
  holdProcess(record: ConnectionRecord): void {
    const hold = this.#holdOf(record);
    if (hold.process) return;
    hold.process = true;
    this.#connections++;
  }

  /** Counts a record for the process and for its client's address as it is now. Idempotent. */
  hold(record: ConnectionRecord): void {
    this.holdProcess(record);
    this.#holdAddress(record);
  }

  /**
   * Counts a connection that the kernel let in, for its client's address and its route: the kernel has
   * counted it against its own limits already, and it takes no place of this process's. Idempotent.
   */
  holdFlow(record: ConnectionRecord): void {
    this.#holdAddress(record);
    this.holdRoute(record);
  }

  #holdAddress(record: ConnectionRecord): void {
    const hold = this.#holdOf(record);
    if (hold.address !== null) return;
    hold.address = record.clientAddress.ip;
    increment(this.#addresses, hold.address);
  }

  /**
   * Whether a client may use a route: its lists, then its own limits and rate. Where it may, this
   * takes one from the route's rate.
   */
  checkRoute(route: ResolvedRoute, ip: string): TerminationReason | null {
    if (!this.#accessList(route).permits(ip)) return this.#refuse('blocked', ip, route);
    const { maxConnections, maxConnectionsPerIp, connectionsPerMinutePerIp } = route.limits;
    if (maxConnections > 0 || maxConnectionsPerIp > 0) {
      const counter = this.#routes.get(route.name);
      const full = reached(counter?.active ?? 0, maxConnections);
      const fullForAddress = reached(counter?.addresses.get(ip) ?? 0, maxConnectionsPerIp);
      if (full || fullForAddress) return this.#refuse('connection-limit', ip, route);
    }
    if (connectionsPerMinutePerIp === 0) return null;
    const granted = this.#routeRate(route).take(ip, connectionsPerMinutePerIp);
    return granted ? null : this.#refuse('rate-limit', ip, route);
  }

  /** Counts a record for `record.route`. Idempotent. */
  holdRoute(record: ConnectionRecord): void {
    const { route } = record;
    if (route === null) return;
    const hold = this.#holdOf(record);
    if (hold.route !== null) return;
    hold.route = route.name;
    if (route.limits.maxConnectionsPerIp > 0) hold.routeAddress = record.clientAddress.ip;
    this.#counterOf(route.name).add(hold.routeAddress);
  }

  /**
   * Whether a client may have one more request of an HTTP route: as `checkRoute`, with the requests
   * in flight in place of connections. Where it may, the request is counted until `releaseRequest`.
   */
  admitRequest(route: ResolvedRoute, ip: string): TerminationReason | null {
    const refusal = this.checkRoute(route, ip);
    if (refusal !== null) return refusal;
    this.#counterOf(route.name).add(route.limits.maxConnectionsPerIp > 0 ? ip : null);
    return null;
  }

  /** Exactly once for each request that was admitted. */
  releaseRequest(route: ResolvedRoute, ip: string): void {
    this.#release(route.name, route.limits.maxConnectionsPerIp > 0 ? ip : null);
  }

  #counterOf(route: string): RouteCounter {
    let counter = this.#routes.get(route);
    if (counter === undefined) {
      counter = new RouteCounter();
      this.#routes.set(route, counter);
    }
    return counter;
  }

  #release(route: string, address: string | null): void {
    this.#routes.get(route)?.remove(address);
  }

  /** Releases exactly what the record holds. Idempotent. */
  ended(record: ConnectionRecord): void {
    const hold = this.#holds.get(record);
    if (hold === undefined) return;
    this.#holds.delete(record);
    if (hold.process) this.#connections--;
    if (hold.address !== null) decrement(this.#addresses, hold.address);
    if (hold.route !== null) this.#release(hold.route, hold.routeAddress);
  }

  /** Different addresses with a connection. */
  get addressCount(): number {
    return this.#addresses.size;
  }

  /** Connections of one address. */
  activeFor(ip: string): number {
    return this.#addresses.get(ip) ?? 0;
  }

  snapshot(): SecuritySnapshot {
    return {
      held: this.#holds.size,
      connections: this.#connections,
      addresses: this.#addresses.size,
      rateEntries: this.#rateTables().reduce((sum, table) => sum + table.size, 0),
      routes: this.#activeByRoute(),
    };
  }

  #activeByRoute(): Record<string, number> {
    const counting = [...this.#routes].filter(([, { active }]) => active > 0);
    return Object.fromEntries(counting.map(([name, { active }]) => [name, active]));
  }

  /** Cancels the timers and writes what the log still owes. Counts stay right for what is still open. */
  stop(): void {
    this.#rotation?.cancel();
    this.#rotation = null;
    this.#refusals.stop();
  }

  #refuse(reason: TerminationReason, ip: string, route?: ResolvedRoute): TerminationReason {
    this.#refusals.add(reason, ip, route?.name ?? null);
    return reason;
  }

  #holdOf(record: ConnectionRecord): Hold {
    let hold = this.#holds.get(record);
    if (hold === undefined) {
      hold = { process: false, address: null, route: null, routeAddress: null };
      this.#holds.set(record, hold);
    }
    return hold;
  }

  #accessList(route: ResolvedRoute): AccessList {
    let list = this.#lists.get(route);
    if (list === undefined) {
      list = new AccessList(route.security);
      this.#lists.set(route, list);
    }
    return list;
  }

  #routeRate(route: ResolvedRoute): RateTable {
    this.#armRotation();
    let rates = this.#routeRates.get(route.name);
    if (rates === undefined) {
      rates = new RateTable(this.#clock);
      this.#routeRates.set(route.name, rates);
    }
    return rates;
  }

  #rateTables(): RateTable[] {
    return [this.#rates, ...this.#routeRates.values()];
  }

  /** One timer for all tables, and none while they are empty. */
  #armRotation(): void {
    this.#rotation ??= this.#clock.setTimer(rotationMs, () => {
      this.#rotation = null;
      for (const table of this.#rateTables()) table.rotate();
      for (const [name, table] of this.#routeRates) if (table.size === 0) this.#routeRates.delete(name);
      if (this.#rateTables().some((table) => table.size > 0)) this.#armRotation();
    });
  }
}

/** 0 is no limit. */
function reached(count: number, limit: number): boolean {
  return limit > 0 && count >= limit;
}
