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

/** What is remembered of a connection. */
interface Visit {
  /** The site that it came to, as it is in `index`. */
  site: HttpSite | undefined;
  index: RouteIndex;
  readonly key: string;
  /** The name that the last request asked for, and what it had written. */
  authority: string;
  name: string | null;
}

/** Finds the routes of requests: each is looked for on the site that its connection came to. */
export class SiteRequests {
  readonly #services: SiteServices;
  readonly #visits = new WeakMap<ConnectionRecord, Visit>();
  readonly #asked = new AskedRequest();

  constructor(services: SiteServices) {
    this.#services = services;
  }

  /** The site that a connection came to. */
  remember(record: ConnectionRecord, { key }: HttpSite): void {
    const index = this.#services.routes();
    this.#visits.set(record, { site: index.site(key), index, key, authority: '', name: null });
  }

  /** By the routes in force: after a reload that took the whole site away there are none. */
  readonly match: MatchRequest = (request, record) => {
    const visit = this.#visits.get(record);
    if (visit === undefined) return 'no-route';
    const site = this.#siteOf(visit);
    if (site === undefined) return 'no-route';
    const name = nameFor(visit, request);
    if (this.#isOutside(name, record, site)) return 'misdirected';
    const found = site.match(this.#asked.of(request, record, name));
    return found.route ?? found.outcome;
  };

  #siteOf(visit: Visit): HttpSite | undefined {
    const index = this.#services.routes();
    if (visit.index !== index) {
      visit.index = index;
      visit.site = index.site(visit.key);
    }
    return visit.site;
  }

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

function nameFor(visit: Visit, { authority }: HttpRequest): string | null {
  if (visit.authority !== authority) {
    visit.authority = authority;
    visit.name = requestName(authority);
  }
  return visit.name;
}

/** A request as routing asks for it: one for all, as each is asked about only within the call. */
class AskedRequest implements SiteRequest {
  #request: HttpRequest | null = null;
  host: string | null = null;
  method = '';
  clientIp = '';
  alpn: readonly string[] = noAlpn;

  of(request: HttpRequest, record: ConnectionRecord, host: string | null): this {
    this.#request = request;
    this.host = host;
    this.method = request.method;
    this.clientIp = record.clientAddress.ip;
    this.alpn = record.hello?.alpn ?? noAlpn;
    return this;
  }

  get path(): string {
    return this.#request?.path ?? '';
  }

  field(name: string): string | undefined {
    return this.#request?.field(name);
  }
}

const noAlpn: readonly string[] = [];
