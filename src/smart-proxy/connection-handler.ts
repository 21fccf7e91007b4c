import type { Clock } from '../base/clock.ts';
import type { AddressSet } from '../base/prefix-trie.ts';
import type { TerminationReason } from '../base/termination.ts';
import type { Dial, Transport } from '../base/transport.ts';
import {
  type ChallengeAnswers,
  challengePath,
  challengeProtocol,
} from '../certificates/acme/challenges/challenge-answers.ts';
import { isPerRequest } from '../config/connection-kind.ts';
import type { ResolvedForward, ResolvedRoute, Timeouts } from '../config/resolved.ts';
import type { CleanupCause, ConnectionManager } from '../connection/connection-manager.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { TimeoutManager } from '../connection/timeout-manager.ts';
import type { ProxyHeader } from '../first-bytes/proxy-header-parser.ts';
import { type FirstBytes, type FirstBytesFailure, readFirstBytes } from '../first-bytes/reader.ts';
import {
  accessDeniedAlert,
  decodeErrorAlert,
  plainHttpAnswer,
  unrecognizedNameAlert,
} from '../first-bytes/refusals.ts';
import { handle } from '../forwarding/handler.ts';
import type { NetworkProxyBridge } from '../forwarding/network-proxy-bridge.ts';
import { passthrough } from '../forwarding/passthrough.ts';
import { HttpSite } from '../routing/http-site.ts';
import type { PortTable } from '../routing/port-table.ts';
import type { SecurityManager } from '../security/security-manager.ts';
import type { TargetSelectors } from '../targets/target-selectors.ts';

/** The place where a connection came in. */
export interface Entrance {
  /** The listener's key in the route index. */
  readonly key: string;
  /** The real port, also where the configuration says 0. */
  readonly port: number;
}

export interface ConnectionHandlerServices {
  clock: Clock;
  manager: ConnectionManager;
  timeouts: TimeoutManager;
  security: SecurityManager;
  selectors: TargetSelectors;
  dial: Dial;
  /**
   * What the connections of a listener can take: by the routes in force, which a reload exchanges, so
   * that a connection sees those of the moment that it asks. Undefined once the listener is gone.
   */
  table(listener: string, localAddress: () => string): PortTable | undefined;
  /** What authorities are answered that prove names for us; null: nothing is ordered here. */
  challenges(): ChallengeAnswers | null;
  /** Whether one more connection fits the descriptor budget (L23). */
  descriptorsLeft(): boolean;
  /** Those who must send a PROXY header, and are believed. */
  trustedSources(): AddressSet;
  /** The timeouts before a route is known. */
  processTimeouts(): Timeouts;
  /** Where connections go that are read here. Null: no route asks for that. */
  bridge(): NetworkProxyBridge | null;
}

/**
 * The spine: the life of a connection from accept to the hand-over to whoever forwards it. Read it
 * from top to bottom. From `createConnection` on each way out is `initiateCleanupOnce`.
 *
 *   accept ─▶ admit ─▶ [PROXY header ─▶ admit the real client] ─▶ [first bytes] ─▶ route ─▶ forward
 */
export class ConnectionHandler {
  readonly #services: ConnectionHandlerServices;
  #draining = false;

  constructor(services: ConnectionHandlerServices) {
    this.#services = services;
  }

  /** From now on every new connection is refused with `shutdown`. */
  drain(): void {
    this.#draining = true;
  }

  /** Takes a fresh connection over. Nothing is done for one that is refused here but to reset it. */
  accept(client: Transport, entrance: Entrance): void {
    const { manager, security } = this.#services;
    const { ip } = client.peer;
    const trusted = this.#services.trustedSources().has(ip);
    const table = this.#services.table(entrance.key, () => client.local.ip);
    const refusal = this.refusal(ip, trusted);
    if (refusal !== null || table === undefined) {
      manager.refuse(refusal ?? 'no-route', client.peer);
      client.reset();
      return;
    }
    const timeouts = this.#services.processTimeouts();
    const record = manager.createConnection(client, { localPort: entrance.port, timeouts });
    record.listener = entrance.key;
    if (trusted) security.holdProcess(record);
    else security.hold(record);
    if (trusted || this.#needsBytes(table, ip)) this.#readFirstBytes(record, table, trusted);
    else this.#route(record, null);
  }

  /** Who has no route may still be an authority that an order of ours waits for. */
  #needsBytes(table: PortTable, clientIp: string): boolean {
    if (table.needs(clientIp) === 'first-bytes') return true;
    if (this.#services.challenges()?.waiting !== true) return false;
    return table.match({ clientIp, kind: 'none', serverName: null, alpn: [] }) === undefined;
  }

  /** Undefined once a reload took the listener away: the connection was accepted just before. */
  #tableOf({ listener, outer, client }: ConnectionRecord): PortTable | undefined {
    return this.#services.table(listener, () => (outer?.destination ?? client.local).ip);
  }

  /**
   * Why no connection is taken now from this peer; null: one is. Nothing per address yet where the
   * peer is a trusted proxy: it speaks for others.
   */
  refusal(ip: string, trusted: boolean): TerminationReason | null {
    if (this.#draining) return 'shutdown';
    if (!this.#services.descriptorsLeft()) return 'resource-exhausted';
    return trusted ? this.#services.security.checkProcess(ip) : this.#services.security.check(ip);
  }

  #readFirstBytes(record: ConnectionRecord, table: PortTable, proxyHeader: boolean): void {
    const { manager, timeouts } = this.#services;
    manager.transition(record, 'reading-first-bytes');
    timeouts.arm(record, 'initialData', table.initialDataMs);
    const reader = readFirstBytes(
      record.client,
      {
        proxyHeader: proxyHeader ? 'required' : 'none',
        detect: true,
        maxBytes: table.initialDataBytes || Number.MAX_SAFE_INTEGER,
        onProxyHeader: (header) => this.#admitRealClient(record, table, header),
      },
      (result) => this.firstBytesRead(record, result),
    );
    record.setOwner(reader);
  }

  /** Only now is the address known that lists, limits and logs are about. Null turns it away. */
  #admitRealClient(
    record: ConnectionRecord,
    table: PortTable,
    header: ProxyHeader,
  ): { detect: boolean } | null {
    const { manager, security, clock } = this.#services;
    record.proxyHeaderBytes = header.length;
    if (header.source !== null) manager.setClientAddress(record, header.source);
    const { ip } = record.clientAddress;
    record.note(clock.now(), 'proxy-header', { client: ip });
    const refusal = security.checkAddress(ip);
    if (refusal !== null) {
      this.#end(record, { reason: refusal });
      return null;
    }
    security.hold(record);
    return { detect: this.#needsBytes(table, ip) };
  }

  /** The middle of the way, for connections whose beginning was read elsewhere too. */
  firstBytesRead(record: ConnectionRecord, result: FirstBytes | FirstBytesFailure): void {
    const { manager, clock } = this.#services;
    if (result.outcome === 'failed') return this.#refuseFirstBytes(record, result);
    if (result.ended) manager.sideEnded(record, 'client');
    record.lastActivityAt = clock.now();
    noteFirstBytes(record, result, clock.now());
    if (result.unwantedProxyHeader) record.note(clock.now(), 'proxy-header-not-trusted');
    this.#route(record, result);
  }

  /** Says why in the language that the client spoke, where it spoke one (T10). */
  #refuseFirstBytes(record: ConnectionRecord, failure: FirstBytesFailure): void {
    const { reason, tls } = failure;
    if (reason === 'client-closed') this.#services.manager.sideEnded(record, 'client');
    if (tls && reason === 'invalid-hello') record.client.write(decodeErrorAlert);
    if (tls && reason === 'initial-data-too-large') record.client.write(accessDeniedAlert);
    const error = failure.error ?? (failure.why === null ? undefined : new Error(failure.why));
    this.#end(record, error === undefined ? { reason } : { reason, error });
  }

  #route(record: ConnectionRecord, first: FirstBytes | null): void {
    const { manager, security } = this.#services;
    if (!manager.transition(record, 'routing')) return;
    const table = this.#tableOf(record);
    const route = table === undefined ? undefined : routeOf(table, record, first);
    if (first !== null && table !== undefined && this.#isChallenge(record, table, first, route)) return;
    if (table === undefined || route === undefined) return this.#noRoute(record, table, first);
    manager.setRoute(record, route);
    const site = table.siteOf(route);
    if (site !== undefined && isPerRequest(route)) {
      record.siteKey = site.key;
      return this.#bridge(record, site, first);
    }
    const refusal = security.checkRoute(route, record.clientAddress.ip);
    if (refusal !== null) return this.#end(record, { reason: refusal });
    security.holdRoute(record);
    if (site !== undefined) this.#bridge(record, site, first);
    else this.#act(record, route, first?.bytes ?? noBytes);
  }

  /**
   * Authorities that prove a name for us come by whatever route it has, and are not who a route's
   * lists mean. What no order of ours waits for goes its way: a backend behind passthrough may have
   * its own (C3).
   */
  #isChallenge(
    record: ConnectionRecord,
    table: PortTable,
    first: FirstBytes,
    route: ResolvedRoute | undefined,
  ): boolean {
    const challenges = this.#services.challenges();
    const bridge = this.#services.bridge();
    if (challenges === null || bridge === null) return false;
    const arrival = { firstBytes: first.bytes, http2: first.http2 };
    const name = challengedName(first);
    if (name !== null && table.endsTlsFor(name)) {
      const certificate = challenges.tls(name);
      const isOurs = certificate !== null && !(certificate instanceof Promise);
      // Another process may know more; where the route leads elsewhere it is not asked.
      const mayBe = certificate !== null && (route === undefined || table.siteOf(route) !== undefined);
      if (isOurs || mayBe) bridge.acceptChallenge(record, certificate, arrival);
      return isOurs || mayBe;
    }
    if (route !== undefined || !asksForToken(first)) return false;
    bridge.accept(record, nobodysSite, arrival);
    return true;
  }

  /** To where TLS ends and requests are read: their routes are found, and limited, one by one. */
  #bridge(record: ConnectionRecord, site: HttpSite, first: FirstBytes | null): void {
    const bridge = this.#services.bridge();
    const { bytes: firstBytes = noBytes, http2 = false } = first ?? {};
    if (bridge !== null) return bridge.accept(record, site, { firstBytes, http2 });
    this.#end(record, { reason: 'internal-error', error: new Error('there is no NetworkProxy') });
  }

  /** An alert for TLS (T7), a page for HTTP (T10), nothing for what cannot be understood. */
  #noRoute(record: ConnectionRecord, table: PortTable | undefined, first: FirstBytes | null): void {
    if (first?.kind === 'tls') {
      record.client.write(unrecognizedNameAlert);
      return this.#end(record, { reason: 'no-route' });
    }
    if (first?.kind === 'http') record.client.write(plainHttpAnswer);
    if (first === null || table === undefined || !speaksOnlyTls(table))
      return this.#end(record, { reason: 'no-route' });
    const error = new Error(
      `every route of port ${record.localPort} speaks TLS; the client does not (${first.kind})`,
    );
    this.#end(record, { reason: 'invalid-hello', error });
  }

  #act(record: ConnectionRecord, route: ResolvedRoute, firstBytes: Uint8Array): void {
    const { action } = route;
    switch (action.type) {
      case 'forward':
        return passthrough(
          this.#services,
          record,
          route as ResolvedRoute & { action: ResolvedForward },
          this.#services.selectors.of(route),
          firstBytes,
        );
      case 'handler':
        return handle(this.#services, record, route, action.handle, firstBytes);
      case 'block':
        return this.#end(record, { reason: 'blocked', effect: action.how === 'reset' ? 'reset' : 'finish' });
      default:
        return this.#end(record, {
          reason: 'internal-error',
          error: new Error(`${action.type} needs NetworkProxy`),
        });
    }
  }

  #end(record: ConnectionRecord, cause: CleanupCause): void {
    this.#services.manager.initiateCleanupOnce(record, cause);
  }
}

const noBytes = new Uint8Array(0);

/** Where requests on clear text end that no route takes: there is only what authorities ask for. */
const nobodysSite = new HttpSite('challenges', 'clear', [], null);

/** The name that a hello asks for a proof of (RFC 8737 §3: nothing else is offered). */
function challengedName({ hello }: FirstBytes): string | null {
  return hello !== null && hello.alpn.length === 1 && hello.alpn[0] === challengeProtocol
    ? hello.serverName
    : null;
}

const tokenRequest = Buffer.from(`GET ${challengePath('')}`);

function asksForToken({ kind, bytes }: FirstBytes): boolean {
  return kind === 'http' && tokenRequest.equals(bytes.subarray(0, tokenRequest.length));
}

/**
 * What nobody else takes and begins like nothing that is known goes to who reads requests, if
 * somebody does: an empty line before one is no fault (RFC 9112 §2.2), and others are told theirs.
 */
function routeOf(
  table: PortTable,
  { clientAddress }: ConnectionRecord,
  first: FirstBytes | null,
): ResolvedRoute | undefined {
  const query = {
    clientIp: clientAddress.ip,
    serverName: first?.hello?.serverName ?? null,
    alpn: first?.hello?.alpn ?? [],
  };
  const route = table.match({ ...query, kind: first?.kind ?? 'none' });
  if (route !== undefined || first?.kind !== 'other' || first.unwantedProxyHeader) return route;
  return table.match({ ...query, kind: 'http' });
}

function speaksOnlyTls(table: PortTable): boolean {
  return table.routes.every((route) => route.match.protocol === 'tls');
}

function noteFirstBytes(record: ConnectionRecord, { hello, kind, bytes }: FirstBytes, now: number): void {
  if (hello === null) {
    if (kind !== 'none') record.note(now, 'first-bytes', { kind, bytes: bytes.length });
    return;
  }
  const { serverName, alpn, ech } = hello;
  record.hello = { serverName, alpn };
  record.note(now, 'hello', { serverName, bytes: bytes.length, ...(ech ? { ech: 'outer' } : {}) });
}
