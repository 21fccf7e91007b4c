/**
 * A small authority: RFC 8555 with what Debian's Pebble lacks, renewal information with `replaces`
 * (RFC 9773) and profiles, on a clock that a test can move. It keeps books of everything.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { JWK } from 'jose';
import type { Clock } from '../../../src/base/clock.ts';
import { seededRandom } from '../virtual-clock.ts';
import { freePort, type Workspace } from '../workspace.ts';
import { certificateIdOf, TestIssuer } from './issuer.ts';
import { readSigned, type SignedRequest } from './signed-request.ts';
import { look } from './validation.ts';

const dayMs = 86_400_000;

export interface AuthorityOptions {
  readonly clock: Clock;
  /** Where it comes for proofs. Default: a port where nobody listens yet. */
  readonly httpPort?: number;
  readonly tlsPort?: number;
  /** Percent of good nonces that are refused. Default 0. */
  readonly badNonces?: number;
  /** Days that a certificate is valid, by profile; the first is the default. Default: `classic`, 90. */
  readonly profiles?: Readonly<Record<string, number>>;
  /** Default true. */
  readonly renewalInfo?: boolean;
  /** Accounts must be bound to this customer. */
  readonly binding?: { readonly keyId: string; readonly hmacKey: string };
}

export type Resource =
  | 'directory'
  | 'nonce'
  | 'account'
  | 'new-order'
  | 'order'
  | 'orders'
  | 'authorization'
  | 'challenge'
  | 'finalize'
  | 'certificate'
  | 'renewal';

export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface BookedOrder {
  readonly id: string;
  readonly names: readonly string[];
  readonly replaces: string | undefined;
  readonly profile: string;
  readonly atMs: number;
  status: string;
  certificate: BookedCertificate | undefined;
  readonly authorizations: BookedAuthorization[];
}

interface BookedAuthorization {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  status: string;
  problem: string | undefined;
}

interface Window {
  start: number;
  end: number;
  explanation?: string;
}

export interface BookedCertificate {
  readonly id: string;
  readonly names: readonly string[];
  readonly chain: string;
  readonly validFromMs: number;
  readonly validToMs: number;
  replaced: boolean;
  window: Window | undefined;
}

export class AcmeAuthority {
  readonly httpPort: number;
  readonly tlsPort: number;
  readonly rootFile: string;
  readonly orders: BookedOrder[] = [];
  readonly certificates: BookedCertificate[] = [];
  readonly contacts: unknown[] = [];
  /** How often each resource was asked for. */
  readonly asked = new Map<Resource, number>();
  /** The most orders for one name that were open at one time. */
  mostOpen = 0;
  /** Answers in the place of the authority; null: it answers itself. */
  intercept: (resource: Resource, request: SignedRequest | null) => Reply | null | Promise<Reply | null> =
    () => null;
  /** What it suggests, where a certificate has no window of its own. Default: the last third of its life. */
  window:
    | ((certificate: BookedCertificate) => { start: number; end: number; explanation?: string })
    | undefined;
  /** Seconds that it wants to be left alone between two questions for a suggestion. */
  renewalRetryAfter = 21_600;
  readonly #options: AuthorityOptions;
  readonly #issuer: TestIssuer;
  readonly #server: https.Server;
  readonly #random = seededRandom(7);
  readonly #nonces = new Set<string>();
  readonly #accounts = new Map<string, JWK>();
  #port = 0;

  private constructor(
    options: AuthorityOptions,
    issuer: TestIssuer,
    server: https.Server,
    parts: { httpPort: number; tlsPort: number; rootFile: string },
  ) {
    this.#options = options;
    this.#issuer = issuer;
    this.#server = server;
    this.httpPort = parts.httpPort;
    this.tlsPort = parts.tlsPort;
    this.rootFile = parts.rootFile;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(workspace: Workspace, options: AuthorityOptions): Promise<AcmeAuthority> {
    const now = Date.now();
    const issuer = await TestIssuer.create(now);
    const identity = await issuer.identity('localhost', {
      validFromMs: now - dayMs,
      validToMs: now + 3600 * dayMs,
    });
    const authority = new AcmeAuthority(options, issuer, https.createServer(identity), {
      httpPort: options.httpPort ?? (await freePort()),
      tlsPort: options.tlsPort ?? (await freePort()),
      rootFile: workspace.write(`authority-${randomBytes(3).toString('hex')}.pem`, issuer.root),
    });
    await authority.#listen(workspace);
    return authority;
  }

  async #listen(workspace: Workspace): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    workspace.onEnd(async () => {
      const closed = once(this.#server, 'close');
      this.#server.close();
      this.#server.closeAllConnections();
      await closed;
    });
  }

  get directory(): string {
    return this.#url('dir');
  }

  async issuingRoot(): Promise<string> {
    return this.#issuer.root;
  }

  /** The newest certificate of a name. */
  newest(name: string): BookedCertificate {
    const found = this.certificates.findLast(({ names }) => names.includes(name));
    if (found === undefined) throw new Error(`no certificate for ${name}`);
    return found;
  }

  forgetAccounts(): void {
    this.#accounts.clear();
  }

  ordersFor(name: string): BookedOrder[] {
    return this.orders.filter(({ names }) => names.includes(name));
  }

  #url(path: string): string {
    return `https://localhost:${this.#port}/${path}`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = (request.url ?? '').slice(1).split('/');
    const reply = await this.#answer(path, request.method ?? '', Buffer.concat(chunks).toString()).catch(
      (error: Error) =>
        problem(400, error.message === 'accountDoesNotExist' ? error.message : 'malformed', error.message),
    );
    const { body, headers, status } = reply;
    response.writeHead(status, {
      'content-type': 'application/json',
      'replay-nonce': this.#nonce(),
      ...headers,
    });
    response.end(typeof body === 'string' ? body : JSON.stringify(body ?? {}));
  }

  #nonce(): string {
    const nonce = randomBytes(16).toString('base64url');
    this.#nonces.add(nonce);
    return nonce;
  }

  async #answer([kind = '', id = '', more = '']: string[], method: string, body: string): Promise<Reply> {
    const resource = kind === 'dir' ? 'directory' : (kind as Resource);
    this.asked.set(resource, (this.asked.get(resource) ?? 0) + 1);
    if (method !== 'POST') return (await this.intercept(resource, null)) ?? this.#unsigned(resource, id);
    const url = this.#url([kind, id, more].filter((part) => part !== '').join('/'));
    const signed = await readSigned(body, url, (kid) => this.#accounts.get(kid));
    const isGood =
      this.#nonces.delete(signed.nonce) && this.#random() * 100 >= (this.#options.badNonces ?? 0);
    if (!isGood) return problem(400, 'badNonce', 'another one, please');
    return (await this.intercept(resource, signed)) ?? this.#signed(resource, id, more, signed);
  }

  #unsigned(resource: Resource, id: string): Reply {
    if (resource === 'directory') return { status: 200, body: this.#directory() };
    if (resource === 'nonce') return { status: 200, headers: { 'cache-control': 'no-store' } };
    if (resource === 'renewal' && this.#options.renewalInfo !== false) return this.#renewal(id);
    return problem(405, 'malformed', 'POST, please');
  }

  #directory(): object {
    const { profiles, renewalInfo, binding } = this.#options;
    return {
      newNonce: this.#url('nonce'),
      newAccount: this.#url('account'),
      newOrder: this.#url('new-order'),
      ...(renewalInfo !== false && { renewalInfo: this.#url('renewal') }),
      meta: {
        ...(binding !== undefined && { externalAccountRequired: true }),
        ...(profiles !== undefined && {
          profiles: Object.fromEntries(Object.keys(profiles).map((name) => [name, `about ${name}`])),
        }),
      },
    };
  }

  /** RFC 9773 §4.2. */
  #renewal(id: string): Reply {
    const certificate = this.certificates.find((one) => one.id === id);
    if (certificate === undefined) return problem(404, 'malformed', 'no such certificate');
    const { validFromMs, validToMs, window } = certificate;
    const third = validToMs - (validToMs - validFromMs) / 3;
    const usual: Window = { start: third, end: third + 2 * dayMs };
    const { start, end, explanation } = window ?? this.window?.(certificate) ?? usual;
    return {
      status: 200,
      headers: { 'retry-after': String(this.renewalRetryAfter) },
      body: {
        suggestedWindow: { start: new Date(start).toISOString(), end: new Date(end).toISOString() },
        ...(explanation !== undefined && { explanationURL: explanation }),
      },
    };
  }

  async #signed(resource: Resource, id: string, more: string, signed: SignedRequest): Promise<Reply> {
    if (resource === 'account') return this.#account(id, signed);
    if (signed.kid === null) return problem(400, 'malformed', 'by an account, please');
    if (resource === 'new-order') return this.#newOrder(signed.payload ?? {});
    if (resource === 'orders') return this.#listOrders(Number(id));
    const order = this.orders.find((one) => one.id === id);
    if (order === undefined) return problem(404, 'malformed', 'no such order');
    const [first] = order.authorizations;
    const authorization = order.authorizations.find((one) => one.id === more) ?? first;
    switch (resource) {
      case 'order':
        return { status: 200, body: this.#describe(order) };
      case 'authorization':
        return { status: 200, body: this.#describeAuthorization(order, authorization!) };
      case 'challenge':
        return this.#challenge(order, more, signed);
      case 'finalize':
        return this.#finalize(order, String(signed.payload?.csr));
      case 'certificate':
        return {
          status: 200,
          headers: { 'content-type': 'application/pem-certificate-chain' },
          body: order.certificate?.chain,
        };
      default:
        return problem(404, 'malformed', 'nothing here');
    }
  }

  async #account(id: string, { payload, key, thumbprint }: SignedRequest): Promise<Reply> {
    const url = this.#url(`account/${thumbprint}`);
    if (id === '' && !this.#accounts.has(url)) {
      const refusal = await this.#checkBinding(payload?.externalAccountBinding);
      if (refusal !== null) return refusal;
    }
    this.contacts.push(payload?.contact);
    this.#accounts.set(url, key);
    const body = { status: 'valid', orders: this.#url('orders/0') };
    return { status: id === '' ? 201 : 200, headers: { location: url }, body };
  }

  /** A hundred to a page. */
  #listOrders(page: number): Reply {
    const urls = this.orders.map(({ id }) => this.#url(`order/${id}`));
    const next = urls.length > (page + 1) * 100;
    const headers = { link: `<${this.#url(`orders/${page + 1}`)}>;rel="next"` };
    return {
      status: 200,
      body: { orders: urls.slice(page * 100, page * 100 + 100) },
      ...(next && { headers }),
    };
  }

  async #checkBinding(given: unknown): Promise<Reply | null> {
    const { binding } = this.#options;
    if (binding === undefined) return null;
    if (given === undefined) return problem(403, 'externalAccountRequired', 'an account needs a customer');
    const { flattenedVerify } = await import('jose');
    const { protectedHeader } = await flattenedVerify(
      given as Parameters<typeof flattenedVerify>[0],
      Buffer.from(binding.hmacKey, 'base64url'),
    );
    return protectedHeader?.kid === binding.keyId ? null : problem(403, 'unauthorized', 'no such customer');
  }

  #newOrder(payload: Record<string, unknown>): Reply {
    const { profiles = { classic: 90 }, clock } = this.#options;
    const names = (payload.identifiers as { value: string }[]).map(({ value }) => value);
    const profile = (payload.profile as string | undefined) ?? Object.keys(profiles)[0]!;
    if (!(profile in profiles)) return problem(400, 'invalidProfile', `there is no ${profile}`);
    const replaces = payload.replaces as string | undefined;
    const refusal = replaces === undefined ? null : this.#replace(replaces);
    if (refusal !== null) return refusal;
    const order: BookedOrder = {
      ...{ id: String(this.orders.length + 1), names, replaces, profile, atMs: clock.wallTime() },
      ...{ status: 'pending', certificate: undefined },
      authorizations: names.map((name, index) => ({
        ...{ id: String(index), name, token: randomBytes(24).toString('base64url') },
        ...{ status: 'pending', problem: undefined },
      })),
    };
    this.orders.push(order);
    for (const name of names) {
      const open = this.ordersFor(name).filter(({ status }) => status !== 'valid' && status !== 'invalid');
      this.mostOpen = Math.max(this.mostOpen, open.length);
    }
    return {
      status: 201,
      headers: { location: this.#url(`order/${order.id}`) },
      body: this.#describe(order),
    };
  }

  /** RFC 9773 §5: it must be ours, and is replaced once. */
  #replace(id: string): Reply | null {
    const certificate = this.certificates.find((one) => one.id === id);
    if (certificate === undefined) return problem(404, 'malformed', 'no such certificate to replace');
    if (certificate.replaced) return problem(409, 'alreadyReplaced', 'it was replaced already');
    certificate.replaced = true;
    return null;
  }

  #describe({ id, names, status, authorizations, certificate }: BookedOrder): object {
    return {
      status,
      identifiers: names.map((value) => ({ type: 'dns', value })),
      authorizations: authorizations.map((one) => this.#url(`authorization/${id}/${one.id}`)),
      finalize: this.#url(`finalize/${id}`),
      ...(certificate !== undefined && { certificate: this.#url(`certificate/${id}`) }),
    };
  }

  #describeAuthorization(
    order: BookedOrder,
    { id, name, token, status, problem: why }: BookedAuthorization,
  ): object {
    return {
      status,
      identifier: { type: 'dns', value: name },
      challenges: ['http-01', 'tls-alpn-01', 'dns-01'].map((type) => ({
        ...{ type, token, url: this.#url(`challenge/${order.id}/${id}-${type}`) },
        status: status === 'valid' ? 'valid' : status === 'invalid' ? 'invalid' : 'pending',
        ...(why !== undefined && { error: { type: 'urn:ietf:params:acme:error:unauthorized', detail: why } }),
      })),
    };
  }

  async #challenge(order: BookedOrder, which: string, { thumbprint }: SignedRequest): Promise<Reply> {
    const [, id = '', type = ''] = /^(\d+)-(.+)$/.exec(which) ?? [];
    const authorization = order.authorizations[Number(id)]!;
    const { name, token } = authorization;
    const wanted = { type, name, token, keyAuthorization: `${token}.${thumbprint}` };
    const ports = { http: this.httpPort, tls: this.tlsPort };
    // The client is answered first, and asks again, as with authorities that have much to do.
    void look(wanted, ports).then((why) => {
      authorization.problem = why ?? undefined;
      authorization.status = why === null ? 'valid' : 'invalid';
      if (why !== null) order.status = 'invalid';
      if (order.authorizations.every(({ status }) => status === 'valid')) order.status = 'ready';
    });
    return {
      status: 200,
      body: { type, token, status: 'processing', url: this.#url(`challenge/${order.id}/${which}`) },
    };
  }

  async #finalize(order: BookedOrder, csr: string): Promise<Reply> {
    if (order.status !== 'ready') return problem(403, 'orderNotReady', order.status);
    const { clock, profiles = { classic: 90 } } = this.#options;
    const validFromMs = Math.floor(clock.wallTime() / 1000) * 1000 - 3_600_000;
    const validToMs = validFromMs + (profiles[order.profile] ?? 90) * dayMs;
    const chain = await this.#issuer.issue(csr, order.names, { validFromMs, validToMs });
    const { names } = order;
    const certificate = {
      id: certificateIdOf(chain),
      names,
      chain,
      validFromMs,
      validToMs,
      replaced: false,
      window: undefined,
    };
    this.certificates.push(certificate);
    order.certificate = certificate;
    order.status = 'valid';
    return { status: 200, body: this.#describe(order) };
  }
}

export function problem(
  status: number,
  type: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const body = { type: `urn:ietf:params:acme:error:${type}`, detail, status };
  return { status, body, headers: { 'content-type': 'application/problem+json', ...headers } };
}
