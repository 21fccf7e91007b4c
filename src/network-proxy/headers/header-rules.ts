import type { Endpoint } from '../../base/transport.ts';
import type { ResolvedHttp } from '../../config/resolved.ts';
import type { AddedFields, HeadChanges, HttpRequest, HttpResponse, RequestChanges } from '../exchange.ts';
import { addedFields, applyEdits, editedNames, hasEdits, noChanges, placesOf } from './changes.ts';
import { forwardedFields, isReplaced, type Sender } from './forwarded-fields.ts';
import { stripPrefix } from './strip-prefix.ts';

/** What was added to a connection's last request: mostly the next one gets the same. */
interface Remembered {
  readonly rules: HeaderRules;
  readonly authority: string;
  readonly version: string;
  readonly added: AddedFields;
}

/** Remembers for one client's connection what its last request was given. */
export interface RememberedAddition {
  lastAdded: Remembered | null;
}

/** What one route does to heads, in both directions. Made once for each route. */
export class HeaderRules {
  readonly #http: ResolvedHttp;
  readonly #requestNames: readonly string[];
  readonly #responseNames: readonly string[];
  readonly #responseAdded: AddedFields | null;

  constructor(http: ResolvedHttp) {
    this.#http = http;
    this.#requestNames = editedNames(http.headers.request);
    this.#responseNames = editedNames(http.headers.response);
    const { response } = http.headers;
    this.#responseAdded = hasEdits(response) ? addedFields(applyEdits([], response)) : null;
  }

  request(request: HttpRequest, sender: Sender & RememberedAddition, endpoint: Endpoint): RequestChanges {
    const { stripPrefix: prefix } = this.#http;
    const plain = !request.mayTellOfClients;
    return {
      dropped: this.#dropped(request, sender, plain),
      added: this.#added(request, sender, plain),
      target: prefix === null ? null : stripPrefix(request.target, prefix),
      authority: this.#authority(request, endpoint),
    };
  }

  response(response: HttpResponse): HeadChanges {
    if (this.#responseAdded === null) return noChanges;
    const names = this.#responseNames;
    const dropped =
      names.length === 0 ? noChanges.dropped : placesOf(response, (name) => names.includes(name));
    return { dropped, added: this.#responseAdded };
  }

  #dropped(request: HttpRequest, { trusted }: Sender, plain: boolean): readonly number[] {
    const names = this.#requestNames;
    if (plain && names.length === 0) return noChanges.dropped;
    return placesOf(request, (name) => isReplaced(name, trusted) || names.includes(name));
  }

  #added(request: HttpRequest, sender: Sender & RememberedAddition, plain: boolean): AddedFields {
    const { version } = request;
    const last = sender.lastAdded;
    if (plain && last !== null && last.rules === this && last.version === version) {
      if (request.authority === last.authority) return last.added;
    }
    const fields = forwardedFields(request, sender);
    const { request: edits } = this.#http.headers;
    const added = addedFields(hasEdits(edits) ? applyEdits(fields, edits) : fields);
    if (plain) sender.lastAdded = { rules: this, authority: request.authority, version, added };
    return added;
  }

  #authority(request: HttpRequest, endpoint: Endpoint): string | null {
    const { hostHeader } = this.#http;
    if (typeof hostHeader === 'object') return hostHeader.literal;
    if (hostHeader === 'target') return authorityOf(endpoint);
    // Only HTTP/1.0 may come without.
    if (request.version === '1.0' && request.authority === '') return authorityOf(endpoint);
    return null;
  }
}

/** Host for a backend: a unix socket has no name. */
function authorityOf(endpoint: Endpoint): string {
  if ('socket' in endpoint) return 'localhost';
  const { host, port } = endpoint;
  const name = host.includes(':') ? `[${host}]` : host;
  return port === 80 || port === 443 ? name : `${name}:${port}`;
}
