import { bridgeTlvType, signBridge } from '../base/bridge-proof.ts';
import type { Endpoint, Transport } from '../base/transport.ts';
import type { Answer } from '../certificates/acme/challenges/challenge-answers.ts';
import type { Certificate } from '../certificates/certificate.ts';
import type { ConnectionObserver } from '../connection/connection-observer.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { HttpSite } from '../routing/http-site.ts';
import type { Selection } from '../targets/target-selector.ts';
import { encodeProxyHeader } from '../transport/proxy-header.ts';
import { askInner } from './bridge-question.ts';
import { dialAndJoin } from './passthrough.ts';
import type { ForwardingServices } from './services.ts';

/** A connection as far as it was read. */
export interface Arrival {
  readonly firstBytes: Uint8Array;
  /** They begin with the preface of clear-text HTTP/2. */
  readonly http2: boolean;
}

/** NetworkProxy in this process. */
export interface TerminatingEndpoint {
  accept(record: ConnectionRecord, site: HttpSite, arrival: Arrival & { readonly overBridge: boolean }): void;
  /** Takes over a connection by which an authority asks for the proof of a name. */
  acceptChallenge(
    record: ConnectionRecord,
    certificate: Answer<Certificate>,
    arrival: Arrival & { readonly overBridge: boolean },
  ): void;
}

/** Which NetworkProxy connections go to. */
export type BridgeEnd =
  | {
      readonly mode: 'in-process';
      readonly endpoint: TerminatingEndpoint;
      /** There is no SmartProxy in front: only what another process brought came over a bridge. */
      readonly alone: boolean;
    }
  /** Another process of this machine. `secret` is the key that both have. */
  | { readonly mode: 'loopback'; readonly port: number; readonly secret: Uint8Array };

/** Called once the connection has ended and both of its sockets are gone. */
export type CleanupCallback = (record: ConnectionRecord) => void;

/**
 * The way from SmartProxy to NetworkProxy. In this process the socket itself is handed over, and
 * the record with it. Over the loopback bytes are relayed, still encrypted, behind a PROXY header
 * that tells who the client is and proves who says so; the record there tells of TLS and HTTP.
 */
export class NetworkProxyBridge implements ConnectionObserver {
  readonly #services: ForwardingServices;
  readonly #callbacks = new Map<ConnectionRecord, CleanupCallback>();
  #end: BridgeEnd;

  constructor(services: ForwardingServices, end: BridgeEnd) {
    this.#services = services;
    this.#end = end;
  }

  /** After a reload. */
  use(end: BridgeEnd): void {
    this.#end = end;
  }

  /**
   * What the other process knows of a connection that was forwarded to it: null where nothing. Undefined
   * where there is no other process. Rejects with `inner-unreachable`.
   */
  async askInner(connectionId: string): Promise<unknown> {
    const end = this.#end;
    return end.mode === 'loopback' ? askInner(this.#services, end, connectionId) : undefined;
  }

  /** Connections that are forwarded to another process now. */
  get forwarded(): number {
    return this.#callbacks.size;
  }

  /** Takes a connection over that was routed to a site, in state `routing`. */
  accept(record: ConnectionRecord, site: HttpSite, arrival: Arrival): void {
    const end = this.#end;
    if (end.mode === 'in-process') {
      const overBridge = !end.alone || record.outer !== null;
      return end.endpoint.accept(record, site, { ...arrival, overBridge });
    }
    this.forwardToNetworkProxy(record.id, record.client, record, arrival.firstBytes, end.port, () => {});
  }

  /** As `accept`, for an authority that asks for a proof. Only the process that orders has one: it is this one. */
  acceptChallenge(record: ConnectionRecord, certificate: Answer<Certificate>, arrival: Arrival): void {
    const end = this.#end;
    if (end.mode === 'in-process') {
      const overBridge = !end.alone || record.outer !== null;
      return end.endpoint.acceptChallenge(record, certificate, { ...arrival, overBridge });
    }
    const error = new Error('a proof was asked for where nothing is ordered');
    this.#services.manager.initiateCleanupOnce(record, { reason: 'internal-error', error });
  }

  /**
   * Relays a connection to a NetworkProxy that listens on the loopback. When either side ends, or
   * fails, both sockets are closed as for every other connection; then `cleanupCallback` runs,
   * exactly once in every case.
   *
   * @param connectionId what the record there names as its origin
   * @param initialChunk what was read so far: perhaps a part of a ClientHello
   */
  forwardToNetworkProxy(
    connectionId: string,
    socket: Transport,
    record: ConnectionRecord,
    initialChunk: Uint8Array,
    networkProxyPort: number,
    cleanupCallback: CleanupCallback,
  ): void {
    const { route } = record;
    if (record.state === 'closed') return cleanupCallback(record);
    this.#callbacks.set(record, cleanupCallback);
    if (route === null) {
      const error = new Error('a connection without a route came to the bridge');
      return void this.#services.manager.initiateCleanupOnce(record, { reason: 'internal-error', error });
    }
    record.viaNetworkProxy = true;
    const selector = onlyTarget({ host: '127.0.0.1', port: networkProxyPort });
    const header = (): Uint8Array => this.#header(connectionId, socket, record);
    dialAndJoin(this.#services, record, route, { selector, header }, initialChunk);
  }

  #header(connectionId: string, socket: Transport, record: ConnectionRecord): Uint8Array {
    const end = this.#end;
    const source = record.clientAddress;
    const destination = { ip: socket.local.ip, port: record.localPort };
    const { listener } = record;
    const facts = { connectionId, source, destination, listener };
    const secret = end.mode === 'loopback' ? end.secret : new Uint8Array(0);
    const value = signBridge(secret, facts, this.#services.clock.wallTime());
    const other = [{ type: bridgeTlvType, value }];
    return encodeProxyHeader(2, { source, destination, tlvs: { uniqueId: connectionId, other } });
  }

  ended(record: ConnectionRecord): void {
    const callback = this.#callbacks.get(record);
    if (callback === undefined) return;
    this.#callbacks.delete(record);
    callback(record);
  }
}

function onlyTarget(endpoint: Endpoint): {
  next(context: unknown, tried: ReadonlySet<number>): Selection | null;
} {
  return { next: (_context, tried) => (tried.size === 0 ? { index: 0, endpoint } : null) };
}
