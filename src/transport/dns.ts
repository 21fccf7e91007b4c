import nodeDns from 'node:dns';
import type { Clock } from '../base/clock.ts';
import { SmartProxyError } from '../base/errors.ts';
import type { DnsListener, DnsMode, DnsQuery } from './dns-entry.ts';
import { DnsEntry, failureTtlMs, isAuthoritative } from './dns-entry.ts';

export type { DnsListener, DnsMode, DnsQuery };

/** The addresses of a name: cached, bounded, and asked for once however many want to know. */
export interface Dns {
  /** `host` is a normalised name, not an address. Calls the listener before it returns where the answer is cached. */
  resolve(host: string, mode: DnsMode, listener: DnsListener): DnsQuery;
  /** Cancels what is under way; no listener is called any more. */
  close(): void;
}

export interface DnsOptions {
  clock: Clock;
  /** For `resolver`: `ip` or `ip:port` of each server. Default: the system's. */
  servers?: readonly string[];
  /** Default: getaddrinfo. */
  lookup?: Lookup;
  /** Names that are remembered, both modes together. Default 1,000. */
  maxNames?: number;
}

/** The part of `dns.lookup` that is used. */
export type Lookup = (
  host: string,
  options: { all: true; order: 'verbatim' },
  callback: (error: NodeJS.ErrnoException | null, addresses: nodeDns.LookupAddress[]) => void,
) => void;

/** How long an answer of getaddrinfo is used: it tells no TTL. */
export const systemTtlMs = 30_000;
/** Bounds of what a DNS server's TTL may ask for: 0 must not mean a query for each connection. */
export const minTtlMs = 1_000;
const maxTtlMs = 3_600_000;
/** How long A records that came first wait for AAAA (RFC 8305 §3). */
export const resolutionDelayMs = 50;
/**
 * getaddrinfo blocks a thread of Node's pool of four, which files need too (libuv lets it have
 * half of them), and cannot be cancelled once it runs. So two run at a time; the others wait
 * here, where an abort can still take them back.
 */
export const maxSystemLookups = 2;
/** Names that may be looked up, or wait for it, at one time; above it a dial fails at once. */
export const maxPendingNames = 1_000;
/** A silent server is given this long, twice; then the query has failed. */
const resolverTimeoutMs = 2_000;

export function createDns(options: DnsOptions): Dns {
  return new CachingDns(options);
}

class CachingDns implements Dns {
  readonly #clock: Clock;
  readonly #lookup: Lookup;
  readonly #servers: readonly string[] | undefined;
  readonly #maxNames: number;
  /** The one that was looked up longest ago comes first. */
  readonly #entries = new Map<string, DnsEntry>();
  /** Names that wait for getaddrinfo, in the order in which they came. */
  readonly #waiting = new Set<DnsEntry>();
  #running = 0;
  #pending = 0;
  #closed = false;

  constructor(options: DnsOptions) {
    this.#clock = options.clock;
    this.#lookup = options.lookup ?? nodeDns.lookup;
    this.#servers = options.servers;
    this.#maxNames = options.maxNames ?? 1_000;
  }

  resolve(host: string, mode: DnsMode, listener: DnsListener): DnsQuery {
    const key = `${mode} ${host}`;
    let entry = this.#entries.get(key);
    if (entry === undefined || !(entry.pending || entry.fresh)) {
      if (this.#closed || this.#pending >= maxPendingNames) {
        listener.onFailed(overloaded(host));
        return { cancel() {} };
      }
      entry ??= new DnsEntry(this.#clock, host, mode, () => {
        this.#pending -= 1;
      });
      this.#keep(key, entry);
      this.#start(entry);
    }
    const found = entry;
    return found.listen(listener, () => this.#abandoned(key, found));
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    for (const entry of this.#entries.values()) entry.close();
    this.#entries.clear();
  }

  /** Puts the entry at the young end, and makes room at the old one. */
  #keep(key: string, entry: DnsEntry): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size <= this.#maxNames) return;
    for (const [oldKey, old] of this.#entries) {
      if (old.pending || old === entry) continue;
      this.#entries.delete(oldKey);
      return;
    }
  }

  #start(entry: DnsEntry): void {
    this.#pending += 1;
    entry.begin();
    if (entry.mode === 'resolver') {
      new Query(entry).ask(this.#servers);
      return;
    }
    entry.cancelLookup = () => this.#waiting.delete(entry);
    this.#waiting.add(entry);
    this.#runWaiting();
  }

  /** Its last listener left: what can still be taken back is; a running getaddrinfo ends by itself, and is remembered. */
  #abandoned(key: string, entry: DnsEntry): void {
    if (entry.cancelLookup === null) return;
    entry.close();
    if (entry.empty) this.#entries.delete(key);
  }

  #runWaiting(): void {
    for (const entry of this.#waiting) {
      if (this.#running >= maxSystemLookups) return;
      this.#waiting.delete(entry);
      this.#running += 1;
      entry.cancelLookup = null;
      this.#lookup(entry.host, { all: true, order: 'verbatim' }, (error, found) => {
        this.#running -= 1;
        if (error !== null || found.length === 0) entry.fail(error ?? noAddress(entry.host));
        else entry.answer(addressesOf(found), systemTtlMs);
        this.#runWaiting();
      });
    }
  }
}

/** One question to DNS servers: A and AAAA, answered in either order. Its own Resolver, so that it can be cancelled alone. */
class Query {
  readonly #entry: DnsEntry;
  #foundAny = false;
  #unanswered = 2;
  #ttlMs = maxTtlMs;
  #error: Error | undefined;
  #cancelled = false;

  constructor(entry: DnsEntry) {
    this.#entry = entry;
  }

  ask(servers: readonly string[] | undefined): void {
    const entry = this.#entry;
    const resolver = new nodeDns.Resolver({ timeout: resolverTimeoutMs, tries: 2 });
    if (servers !== undefined) resolver.setServers(servers);
    entry.cancelLookup = () => {
      this.#cancelled = true;
      resolver.cancel();
    };
    resolver.resolve6(entry.host, { ttl: true }, (error, records) => this.#answered(6, error, records));
    resolver.resolve4(entry.host, { ttl: true }, (error, records) => this.#answered(4, error, records));
  }

  #answered(family: 4 | 6, error: Error | null, records: readonly nodeDns.RecordWithTtl[] | undefined): void {
    if (this.#cancelled) return;
    this.#unanswered -= 1;
    for (const record of records ?? []) this.#ttlMs = Math.min(this.#ttlMs, record.ttl * 1000);
    // "No such record" of one family must not hide that the other could not be asked.
    if (error !== null && (this.#error === undefined || isAuthoritative(this.#error))) this.#error = error;
    const addresses = addressesOf(records ?? []);
    this.#foundAny ||= addresses.length > 0;
    if (this.#unanswered === 0) this.#complete(addresses);
    else if (addresses.length > 0) this.#entry.answerPartly(addresses, family === 4 ? resolutionDelayMs : 0);
  }

  #complete(addresses: readonly string[]): void {
    const failed = this.#error !== undefined && !isAuthoritative(this.#error);
    if (!this.#foundAny) this.#entry.fail(this.#error ?? noAddress(this.#entry.host));
    else this.#entry.answer(addresses, failed ? failureTtlMs : Math.max(this.#ttlMs, minTtlMs));
  }
}

function addressesOf(records: readonly { address: string }[]): string[] {
  return records.map((record) => record.address);
}

function noAddress(host: string): Error {
  return Object.assign(new Error(`${host} has no address`), { code: 'ENODATA' });
}

function overloaded(host: string): Error {
  return new SmartProxyError('dns-overloaded', `too many names are being looked up to ask for ${host}`, {
    source: 'proxy',
    retryable: true,
  });
}
