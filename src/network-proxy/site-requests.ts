import type { AddressSet } from '../base/prefix-trie.ts';
import { coversName } from '../certificates/certificate.ts';
import type { CertificateSource } from '../certificates/certificate-source.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { HttpSite, SiteRequest } from '../routing/http-site.ts';
import { requestName } from '../routing/request-name.ts';
import type { RouteIndex } from '../routing/route-index.ts';
import type { HttpRequest } from './exchange.ts';
import type { MatchRequest } from './request-planner.ts';

/** What is in force at the moment. */
export interface SiteServices {
  routes(): RouteIndex;
  certificates(): CertificateSource;
  /** Gateways that speak for others, over connections that are made for any of them. */
  trustForwarded(): AddressSet;
}

/** Finds the routes of requests: each is looked for on the site that its connection came to. */
export class SiteRequests {
  readonly #services: SiteServices;
  readonly #sites = new WeakMap<ConnectionRecord, HttpSite>();
  readonly #asked = new AskedRequest();

  constructor(services: SiteServices) {
    this.#services = services;
  }

  /** The site that a connection came to. */
  remember(record: ConnectionRecord, site: HttpSite): void {
    this.#sites.set(record, site);
  }

  /** By the routes in force: after a reload that took the whole site away there are none. */
  readonly match: MatchRequest = (request, record) => {
    const cameTo = this.#sites.get(record);
    const site = cameTo === undefined ? undefined : this.#services.routes().site(cameTo.key);
    if (site === undefined) return 'no-route';
    const asked = this.#asked.of(request, record);
    if (this.#isOutside(asked.host, record, site)) return 'misdirected';
    const found = site.match(asked);
    return found.route ?? found.outcome;
  };

  /**
   * Whether a host is none that the connection was secured for (RFC 9110 §7.4): neither the name that
   * it was made for, nor one that the certificate shown then is good for.
   */
  #isOutside(host: string | null, record: ConnectionRecord, site: HttpSite): boolean {
    const serverName = record.hello?.serverName ?? null;
    if (serverName === null || host === null || host === serverName) return false;
    const tls = site.tlsFor(serverName);
    if (tls === null || this.#services.trustForwarded().has(record.clientAddress.ip)) return false;
    const shown = this.#services.certificates().certificateFor(tls, { name: serverName, localAddress: null });
    return 'names' in shown && !coversName(shown, host);
  }
}

/** A request as routing asks for it: one for all, as each is asked about only within the call. */
class AskedRequest implements SiteRequest {
  #request: HttpRequest | null = null;
  host: string | null = null;
  path = '';
  method = '';
  clientIp = '';
  alpn: readonly string[] = noAlpn;

  of(request: HttpRequest, record: ConnectionRecord): this {
    this.#request = request;
    this.host = requestName(request.authority);
    this.path = request.path;
    this.method = request.method;
    this.clientIp = record.clientAddress.ip;
    this.alpn = record.hello?.alpn ?? noAlpn;
    return this;
  }

  field(name: string): string | undefined {
    return this.#request?.field(name);
  }
}

const noAlpn: readonly string[] = [];
