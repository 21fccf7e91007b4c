import type { Transport } from '../base/transport.ts';
import { type Answer, challengeProtocol } from '../certificates/acme/challenges/challenge-answers.ts';
import type { Certificate } from '../certificates/certificate.ts';
import { isPerRequest } from '../config/connection-kind.ts';
import type { ResolvedTls } from '../config/resolved.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { HttpSite } from '../routing/http-site.ts';
import { ChallengeCertificate, challengeTls } from './challenge-certificate.ts';
import type { ConnectionTracking } from './connection-tracking.ts';
import { TicketKeys } from './ticket-keys.ts';
import { type HandshakeServices, type Secured, TlsHandshake } from './tls-handshake.ts';
import { TrustDomain } from './trust-domain.ts';
import { TrustDomains } from './trust-domains.ts';

/** What a connection speaks once its TLS has ended, or where it had none. Each takes the record over. */
export interface Protocols {
  /**
   * HTTP/1. The record is `established`, or in clear text `handed-over`.
   *
   * @param transport the bytes of HTTP: the record's client in clear text, what is inside TLS otherwise
   */
  http1(record: ConnectionRecord, transport: Transport, site: HttpSite, entrance: HttpBytes): void;
  /** HTTP/2, as `http1`. */
  http2(record: ConnectionRecord, transport: Transport, site: HttpSite, entrance: HttpBytes): void;
  /** A route that takes connections as a whole: `record.client` is what it reads. `handed-over`. */
  whole(record: ConnectionRecord): void;
}

export interface HttpBytes {
  readonly tls: boolean;
  /** What was read already; stays the caller's. */
  readonly firstBytes: Uint8Array;
}

export interface EndpointOptions {
  readonly services: HandshakeServices;
  readonly protocols: Protocols;
  readonly tracking: ConnectionTracking;
}

/** What a client that brings a connection tells beside its first bytes. */
export interface Arrival {
  /** Everything that was read so far. */
  readonly firstBytes: Uint8Array;
  /** They begin with the preface of clear-text HTTP/2. */
  readonly http2: boolean;
  /** SmartProxy brought it. */
  readonly overBridge: boolean;
}

/**
 * Where connections come that are read here: TLS ends, and HTTP begins. The same socket goes on
 * and the record with it, so that whatever happens has one ending and one reason.
 */
export class TerminatingEndpoint {
  readonly #options: EndpointOptions;
  readonly #domains: TrustDomains;
  /** Of its own: what an authority was shown says nothing about clients. */
  readonly #challenges: TrustDomain;

  constructor(options: EndpointOptions) {
    this.#options = options;
    const tickets = new TicketKeys(options.services.clock);
    this.#domains = new TrustDomains(tickets);
    this.#challenges = new TrustDomain(challengeProtocol, challengeTls, tickets);
  }

  /** Takes a connection over that was routed to a site. From here on only its record tells of it. */
  accept(record: ConnectionRecord, site: HttpSite, arrival: Arrival): void {
    record.viaNetworkProxy = true;
    this.#options.tracking.setupConnectionTracking(record, arrival.overBridge);
    const tls = record.hello === null ? null : site.tlsFor(record.hello.serverName);
    if (tls === null) this.#serveClear(record, site, arrival);
    else this.#beginHandshake(record, site, tls, arrival.firstBytes);
  }

  /** After a reload. Sessions that were made before it can still be resumed. */
  reloaded(): void {
    this.#domains.clear();
  }

  /**
   * Takes over a connection by which an authority asks for the proof of a name, in state `routing`: a
   * handshake with the certificate that proves it, and no more (RFC 8737 §3).
   */
  acceptChallenge(record: ConnectionRecord, certificate: Answer<Certificate>, arrival: Arrival): void {
    record.viaNetworkProxy = true;
    this.#options.tracking.setupConnectionTracking(record, arrival.overBridge);
    const source = new ChallengeCertificate(certificate);
    const services = { ...this.#options.services, certificates: () => source };
    const terms = { tls: challengeTls, domain: this.#challenges, alpn: challengeTls.alpn };
    new TlsHandshake(services, record, terms, arrival.firstBytes, (secured) => {
      secured.open();
      services.manager.transition(record, 'established');
      services.manager.initiateCleanupOnce(record, { reason: 'responded' });
    }).start();
  }

  #beginHandshake(record: ConnectionRecord, site: HttpSite, tls: ResolvedTls, firstBytes: Uint8Array): void {
    const { services } = this.#options;
    const domain = this.#domains.of(tls, services.certificates().authoritiesFor(tls));
    const terms = { tls, domain, alpn: this.#offered(record, tls) };
    const done = (secured: Secured): void => this.#secured(record, site, secured);
    new TlsHandshake(services, record, terms, firstBytes, done).start();
  }

  /** A route that takes whole connections has an ALPN of its own. */
  #offered({ route }: ConnectionRecord, tls: ResolvedTls): readonly string[] {
    return route !== null && !isPerRequest(route) ? (route.tls ?? tls).alpn : tls.alpn;
  }

  #secured(record: ConnectionRecord, site: HttpSite, secured: Secured): void {
    const { services, protocols, tracking } = this.#options;
    tracking.tlsTerminatedConnections++;
    if (record.route !== null && !isPerRequest(record.route)) {
      secured.open();
      return protocols.whole(record);
    }
    if (!services.manager.transition(record, 'established')) return;
    const serve = secured.protocol === 'h2' ? protocols.http2 : protocols.http1;
    serve(record, secured.open(), site, { tls: true, firstBytes: noBytes });
  }

  #serveClear(record: ConnectionRecord, site: HttpSite, { firstBytes, http2 }: Arrival): void {
    const { services, protocols } = this.#options;
    if (!services.manager.transition(record, 'handed-over')) return;
    const serve = http2 ? protocols.http2 : protocols.http1;
    serve(record, record.client, site, { tls: false, firstBytes });
  }
}

const noBytes = new Uint8Array(0);
