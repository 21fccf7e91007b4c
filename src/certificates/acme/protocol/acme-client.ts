import type { AccountKey } from './account-key.ts';
import { AcmeError } from './acme-error.ts';
import type { AuthorityAnswer, AuthorityConnection } from './authority-connection.ts';
import {
  type Authorization,
  type Challenge,
  type Directory,
  invalidAnswer,
  type Order,
  readResource,
} from './resources.ts';
import { SignedRequests } from './signed-requests.ts';

/** What an order asks for. */
export interface OrderTerms {
  readonly names: readonly string[];
  /** The certificate that this one comes in place of (RFC 9773 §5); null: none, or the authority does not ask. */
  readonly replaces: string | null;
  readonly profile: string | null;
}

/** A resource, and how long the authority wants to be left alone until it is asked for again. */
export interface Polled<Resource> {
  readonly resource: Resource;
  readonly retryAfterMs: number | null;
}

/** One account at one authority (RFC 8555). Every call rejects with AcmeError. */
export class AcmeClient {
  readonly directory: Directory;
  readonly key: AccountKey;
  readonly #directoryUrl: string;
  readonly #connection: AuthorityConnection;
  readonly #requests: SignedRequests;
  /** The account's address; null until it is registered. */
  #kid: string | null = null;

  private constructor(
    directoryUrl: string,
    directory: Directory,
    connection: AuthorityConnection,
    key: AccountKey,
  ) {
    this.#directoryUrl = directoryUrl;
    this.directory = directory;
    this.#connection = connection;
    this.key = key;
    this.#requests = new SignedRequests(connection, key);
  }

  static async connect(
    directoryUrl: string,
    connection: AuthorityConnection,
    key: AccountKey,
    signal: AbortSignal,
  ): Promise<AcmeClient> {
    const answer = await connection.request({ method: 'GET', url: directoryUrl }, signal);
    if (answer.status !== 200) throw noDirectory(directoryUrl, answer, connection.retryAfter(answer));
    const directory = readResource('directory', answer.text, directoryUrl);
    return new AcmeClient(directoryUrl, directory, connection, key);
  }

  /** Uses an account that was registered before. */
  useAccount(url: string): void {
    this.#kid = url;
  }

  /**
   * Registers the key, or finds the account that it has already (RFC 8555 §7.3). Terms of service
   * are agreed to: the documentation says so.
   * @returns the account's address
   */
  async register(
    contact: readonly string[],
    binding: { keyId: string; hmacKey: string } | null,
    signal: AbortSignal,
  ): Promise<string> {
    const { newAccount } = this.directory;
    const bound =
      binding === null ? {} : { externalAccountBinding: await this.key.bind(binding, newAccount) };
    const payload = { termsOfServiceAgreed: true, ...(contact.length > 0 && { contact }), ...bound };
    const answer = await this.#post(newAccount, payload, signal, null);
    this.#kid = locationOf(answer, newAccount);
    return this.#kid;
  }

  /** Changes where the authority writes to. */
  async updateContact(contact: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.#kid !== null) await this.#post(this.#kid, { contact }, signal);
  }

  async newOrder(terms: OrderTerms, signal: AbortSignal): Promise<{ url: string; order: Order }> {
    const { newOrder } = this.directory;
    const payload = {
      identifiers: terms.names.map((value) => ({ type: 'dns', value })),
      ...(terms.replaces !== null && { replaces: terms.replaces }),
      ...(terms.profile !== null && { profile: terms.profile }),
    };
    const answer = await this.#post(newOrder, payload, signal);
    return { url: locationOf(answer, newOrder), order: readResource('order', answer.text, newOrder) };
  }

  /**
   * Addresses of the account's orders (RFC 8555 §7.1.2.1), as far as the authority lists them: some
   * do not at all.
   */
  async listOrders(maxPages: number, signal: AbortSignal): Promise<string[]> {
    const account = readResource(
      'account',
      (await this.#post(this.#kid ?? '', null, signal)).text,
      this.#directoryUrl,
    );
    const found: string[] = [];
    let next = account.orders;
    for (let page = 0; page < maxPages && next !== undefined; page++) {
      const answer = await this.#post(next, null, signal);
      found.push(...readResource('list of orders', answer.text, next).orders);
      next = nextPage(answer);
    }
    return found;
  }

  order(url: string, signal: AbortSignal): Promise<Polled<Order>> {
    return this.#get('order', url, signal);
  }

  authorization(url: string, signal: AbortSignal): Promise<Polled<Authorization>> {
    return this.#get('authorization', url, signal);
  }

  /** Says that the proof is in its place (RFC 8555 §7.5.1). */
  async answerChallenge(url: string, signal: AbortSignal): Promise<Challenge> {
    return readResource('challenge', (await this.#post(url, {}, signal)).text, url);
  }

  /** @param request the certificate request, DER */
  async finalize(url: string, request: Uint8Array, signal: AbortSignal): Promise<Order> {
    const csr = Buffer.from(request).toString('base64url');
    return readResource('order', (await this.#post(url, { csr }, signal)).text, url);
  }

  /** The chain, PEM. */
  async certificate(url: string, signal: AbortSignal): Promise<string> {
    const answer = await this.#requests.post(
      { url, payload: null, kid: this.#kid, accept: 'application/pem-certificate-chain' },
      this.directory.newNonce,
      signal,
    );
    if (answer.text.includes('-----BEGIN CERTIFICATE-----')) return answer.text;
    throw invalidAnswer(url, 'its certificate is not PEM');
  }

  async #get<Kind extends 'order' | 'authorization'>(kind: Kind, url: string, signal: AbortSignal) {
    const answer = await this.#post(url, null, signal);
    const resource = readResource(kind, answer.text, this.#directoryUrl);
    return { resource, retryAfterMs: this.#connection.retryAfter(answer) };
  }

  #post(
    url: string,
    payload: unknown,
    signal: AbortSignal,
    kid: string | null = this.#kid,
  ): Promise<AuthorityAnswer> {
    return this.#requests.post({ url, payload, kid }, this.directory.newNonce, signal);
  }
}

function locationOf({ headers }: AuthorityAnswer, from: string): string {
  const { location } = headers;
  if (location?.startsWith('https://')) return location;
  throw invalidAnswer(from, 'its answer has no Location');
}

/** RFC 8288. */
function nextPage({ headers }: AuthorityAnswer): string | undefined {
  const link = Array.isArray(headers.link) ? headers.link.join(',') : (headers.link ?? '');
  return /<(https:[^>]+)>\s*;[^,]*rel="?next"?/.exec(link)?.[1];
}

function noDirectory(url: string, { status }: AuthorityAnswer, retryAfterMs: number | null): AcmeError {
  const details = { status, retryAfterMs };
  if (status === 429) return new AcmeError('acme-rate-limited', `${url}: HTTP 429`, details);
  if (status >= 500) return new AcmeError('acme-unreachable', `${url}: HTTP ${status}`, details);
  return new AcmeError('acme-invalid-answer', `${url} is no directory: HTTP ${status}`, details);
}
