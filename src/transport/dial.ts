import net from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { Dial, DialFailure, DialHandlers, Dialing, Endpoint, Transport } from '../base/transport.ts';
import { Attempt, type AttemptOwner, type ConnectSocket, type ConnectTarget } from './dial-attempt.ts';
import { dialFailure, dnsFailure, mostTelling } from './dial-failure.ts';
import type { Dns, DnsMode, DnsQuery } from './dns.ts';

export interface DialOptions {
  clock: Clock;
  dns: Dns;
  connectSocket: ConnectSocket;
}

/** How long an attempt has the field to itself before the next address is tried too (RFC 8305 §5). */
export const attemptDelayMs = 250;
/** Addresses of one name that are tried: a name with a thousand must not cost a thousand sockets. */
export const maxAttempts = 16;

/** Dials addresses and unix sockets directly, names by happy eyeballs (RFC 8305). */
export function createDial(options: DialOptions): Dial {
  return (endpoint: Endpoint, handlers: DialHandlers): Dialing => {
    if ('socket' in endpoint) return new DirectDial(options, { path: endpoint.socket }, handlers);
    const { host, port } = endpoint;
    if (net.isIP(host) !== 0) return new DirectDial(options, { ip: host, port }, handlers);
    return new NamedDial(options, host, port, endpoint.dns ?? 'system', handlers);
  };
}

/** One address or unix socket: one attempt, and no promise, timer or list. */
class DirectDial implements Dialing, AttemptOwner {
  readonly #handlers: DialHandlers;
  #attempt: Attempt | undefined;
  /** Tells a failure that struck before the dial function returned. */
  #telling: Timer | undefined;
  #done = false;

  constructor(options: DialOptions, to: ConnectTarget, handlers: DialHandlers) {
    this.#handlers = handlers;
    try {
      this.#attempt = new Attempt(this, to, options.connectSocket);
    } catch (error) {
      this.#telling = options.clock.setImmediate(() => this.#fail(error));
    }
  }

  abort(): void {
    if (this.#done) return;
    this.#done = true;
    this.#telling?.cancel();
    this.#attempt?.drop();
  }

  attemptConnected(_attempt: Attempt, transport: Transport): void {
    this.#done = true;
    this.#handlers.onConnected(transport);
  }

  attemptFailed(_attempt: Attempt, error: Error): void {
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#done = true;
    this.#handlers.onFailed(dialFailure(error));
  }
}

/**
 * A name: its addresses race, families alternating, 250 ms apart or as soon as one fails; the
 * first to connect wins. Addresses that DNS tells later join the race.
 */
class NamedDial implements Dialing, AttemptOwner {
  readonly #options: DialOptions;
  readonly #port: number;
  readonly #handlers: DialHandlers;
  #query: DnsQuery | undefined;
  #waiting: string[] = [];
  /** DNS may still tell more. */
  #resolving = true;
  readonly #running = new Set<Attempt>();
  #attempts = 0;
  #lastFamily = 0;
  #nextTimer: Timer | undefined;
  #telling: Timer | undefined;
  #failure: DialFailure | undefined;
  #done = false;

  constructor(options: DialOptions, host: string, port: number, mode: DnsMode, handlers: DialHandlers) {
    this.#options = options;
    this.#port = port;
    this.#handlers = handlers;
    this.#query = options.dns.resolve(host, mode, {
      onAddresses: (addresses, last) => this.#addressesFound(addresses, last),
      onFailed: (error) => this.#resolveFailed(error),
    });
  }

  abort(): void {
    if (this.#done) return;
    this.#finish();
  }

  attemptConnected(attempt: Attempt, transport: Transport): void {
    this.#running.delete(attempt);
    this.#finish();
    this.#handlers.onConnected(transport);
  }

  attemptFailed(attempt: Attempt, error: Error): void {
    this.#running.delete(attempt);
    this.#failure = mostTelling(this.#failure, dialFailure(error));
    this.#startNext();
  }

  #addressesFound(addresses: readonly string[], last: boolean): void {
    this.#waiting.push(...addresses);
    if (last) this.#resolving = false;
    // While one runs and its time is not up, the new ones wait for their turn.
    if (this.#nextTimer === undefined) this.#startNext();
  }

  #resolveFailed(error: Error): void {
    this.#resolving = false;
    this.#failure = mostTelling(this.#failure, dnsFailure(error));
    this.#startNext();
  }

  /** Starts the next attempt, or fails the dial when nothing is left that could still succeed. */
  #startNext(): void {
    this.#nextTimer?.cancel();
    this.#nextTimer = undefined;
    let started = false;
    while (!started && this.#untried) started = this.#startAttempt(this.#takeAddress());
    if (started && (this.#untried || this.#resolving)) {
      this.#nextTimer = this.#options.clock.setTimer(attemptDelayMs, () => {
        this.#nextTimer = undefined;
        this.#startNext();
      });
    } else if (this.#running.size === 0 && !this.#resolving) {
      // Never synchronously: this may be a cached answer, within the call that began the dial.
      this.#telling = this.#options.clock.setImmediate(() => this.#fail());
    }
  }

  get #untried(): boolean {
    return this.#waiting.length > 0 && this.#attempts < maxAttempts;
  }

  #startAttempt(ip: string): boolean {
    this.#attempts += 1;
    this.#lastFamily = net.isIP(ip);
    try {
      this.#running.add(new Attempt(this, { ip, port: this.#port }, this.#options.connectSocket));
      return true;
    } catch (error) {
      this.#failure = mostTelling(this.#failure, dialFailure(error));
      return false;
    }
  }

  /** The next address of the other family, where there is one (RFC 8305 §4). */
  #takeAddress(): string {
    const other = this.#waiting.findIndex((ip) => net.isIP(ip) !== this.#lastFamily);
    return this.#waiting.splice(Math.max(other, 0), 1)[0] as string;
  }

  #fail(): void {
    this.#finish();
    this.#handlers.onFailed(this.#failure ?? dnsFailure(new Error('the name has no address')));
  }

  #finish(): void {
    this.#done = true;
    this.#query?.cancel();
    this.#nextTimer?.cancel();
    this.#telling?.cancel();
    for (const attempt of this.#running) attempt.drop();
    this.#running.clear();
  }
}
