import type { Clock } from '../../base/clock.ts';
import type { Deadline, DeadlineQueue } from '../../base/deadline-queue.ts';
import type { Dial, DialFailure, Dialing, Transport } from '../../base/transport.ts';
import type { BackendFailureCode } from '../exchange.ts';
import type { BackendSpec } from './backend-spec.ts';

/** TLS with a backend, which the room of TLS brings in. Like `Dial`: one answer, never within the call. */
export type SecureClient = (
  transport: Transport,
  spec: BackendSpec,
  handlers: {
    /** `protocol`: what ALPN chose; null where nothing was. */
    onSecured(transport: Transport, protocol: string | null): void;
    onFailed(error: Error): void;
  },
) => Dialing;

export interface ConnectServices {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly dial: Dial;
  readonly secure: SecureClient;
}

export interface ConnectHandlers {
  onConnected(transport: Transport, protocol: string | null, tookMs: number): void;
  onFailed(code: BackendFailureCode, error: Error): void;
}

/** The way to an open connection: dial, PROXY header, TLS, within one deadline. */
export class Connecting implements Deadline {
  dueAt = 0;
  position = -1;
  readonly #services: ConnectServices;
  readonly #spec: BackendSpec;
  readonly #handlers: ConnectHandlers;
  readonly #startedAt: number;
  #step: Dialing | null = null;
  #done = false;

  /** @param deadlineMs 0: none */
  constructor(services: ConnectServices, spec: BackendSpec, handlers: ConnectHandlers, deadlineMs: number) {
    this.#services = services;
    this.#spec = spec;
    this.#handlers = handlers;
    this.#startedAt = services.clock.now();
    if (deadlineMs > 0) services.deadlines.schedule(this, this.#startedAt + deadlineMs);
    this.#step = services.dial(spec.endpoint, {
      onConnected: (transport) => this.#dialled(transport),
      onFailed: (failure) => this.#dialFailed(failure),
    });
  }

  /** Idempotent; leaves nothing behind. */
  cancel(): void {
    if (!this.#finish()) return;
    this.#step?.abort();
  }

  expire(): void {
    this.cancel();
    this.#handlers.onFailed('connect-timeout', new Error('the backend was not reached in time'));
  }

  #dialled(transport: Transport): void {
    const { proxyHeader, tls } = this.#spec;
    if (proxyHeader !== null) transport.write(proxyHeader);
    if (tls === null) return this.#connected(transport, null);
    this.#step = this.#services.secure(transport, this.#spec, {
      onSecured: (secured, protocol) => this.#connected(secured, protocol),
      onFailed: (error) => this.#failed('target-tls-failed', error),
    });
  }

  #dialFailed({ reason, error }: DialFailure): void {
    this.#failed(reason, error);
  }

  #connected(transport: Transport, protocol: string | null): void {
    if (!this.#finish()) return transport.destroy();
    this.#handlers.onConnected(transport, protocol, this.#services.clock.now() - this.#startedAt);
  }

  #failed(code: BackendFailureCode, error: Error): void {
    if (this.#finish()) this.#handlers.onFailed(code, error);
  }

  #finish(): boolean {
    if (this.#done) return false;
    this.#done = true;
    this.#services.deadlines.remove(this);
    return true;
  }
}
