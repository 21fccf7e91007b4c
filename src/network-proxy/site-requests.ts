import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { HttpSite, SiteRequest } from '../routing/http-site.ts';
import { requestName } from '../routing/request-name.ts';
import type { RouteIndex } from '../routing/route-index.ts';
import type { HttpRequest } from './exchange.ts';
import type { MatchRequest } from './request-planner.ts';

/** Finds the routes of requests: each is looked for on the site that its connection came to. */
export class SiteRequests {
  readonly #index: () => RouteIndex;
  readonly #sites = new WeakMap<ConnectionRecord, HttpSite>();
  readonly #asked = new AskedRequest();

  constructor(index: () => RouteIndex) {
    this.#index = index;
  }

  /** The site that a connection came to. */
  remember(record: ConnectionRecord, site: HttpSite): void {
    this.#sites.set(record, site);
  }

  /** By the routes in force: after a reload that took the whole site away there are none. */
  readonly match: MatchRequest = (request, record) => {
    const cameTo = this.#sites.get(record);
    const site = cameTo === undefined ? undefined : this.#index().site(cameTo.key);
    if (site === undefined) return 'no-route';
    const found = site.match(this.#asked.of(request, record));
    return found.route ?? found.outcome;
  };
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
