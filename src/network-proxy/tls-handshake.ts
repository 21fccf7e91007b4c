import type { SecureContext, TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';
import { errorCode, errorMessage, SmartProxyError } from '../base/errors.ts';
import type { TerminationReason } from '../base/termination.ts';
import type { Transport, TransportListener } from '../base/transport.ts';
import type {
  CertificateAnswer,
  Handshake as CertificateRequest,
  CertificateSource,
  ContextAnswer,
} from '../certificates/certificate-source.ts';
import type { ResolvedTls } from '../config/resolved.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';
import type { ConnectionOwner, ConnectionRecord } from '../connection/connection-record.ts';
import { reasonOfFailure } from '../connection/ending-policy.ts';
import type { TimeoutManager } from '../connection/timeout-manager.ts';
import { internalErrorAlert, unrecognizedNameAlert } from '../first-bytes/refusals.ts';
import type { TransportResources } from '../transport/socket-transport.ts';
import type { SocketBackedTransport } from '../transport/transport-factory.ts';
import type { Meter } from './access-log.ts';
import { DecryptedTransport, HandedOverTransport } from './tls-transport.ts';
import type { NamelessTerms, ServerHandshake, TrustDomain } from './trust-domain.ts';

/** What a handshake asks of certificates. */
export type HandshakeCertificates = Pick<
  CertificateSource,
  'contextFor' | 'certificateFor' | 'authoritiesFor'
>;

export interface HandshakeServices {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly timeouts: TimeoutManager;
  readonly resources: TransportResources;
  /** Null: nobody counts. */
  readonly meter: Meter | null;
  /** Of the configuration in force. */
  readonly certificates: () => HandshakeCertificates;
}

export interface HandshakeTerms {
  readonly tls: ResolvedTls;
  /** In order of preference. Empty: the client's offer is not answered. */
  readonly alpn: readonly string[];
  readonly domain: TrustDomain;
}

/** A connection whose TLS ends here. The record is still `handed-over`, and has no owner. */
export interface Secured {
  /** What ALPN chose; null where nothing was. */
  readonly protocol: string | null;
  /** Makes what is inside readable. Once. */
  open(): Transport;
}

/**
 * From the hand-over to the end of the handshake. The certificate is fetched before the socket is
 * given away: until then an alert can be written, and after it nobody has to be waited for.
 */
export class TlsHandshake implements ConnectionOwner, TransportListener, ServerHandshake {
  readonly alpn: readonly string[];
  context: SecureContext | null = null;
  readonly #services: HandshakeServices;
  readonly #record: ConnectionRecord;
  readonly #terms: HandshakeTerms;
  readonly #done: (secured: Secured) => void;
  #firstBytes: Uint8Array;
  #client: HandedOverTransport | null = null;
  #over = false;
  #startedAt = 0;
  #closing: Timer | null = null;

  /** @param firstBytes the ClientHello, and whatever was read after it */
  constructor(
    services: HandshakeServices,
    record: ConnectionRecord,
    terms: HandshakeTerms,
    firstBytes: Uint8Array,
    done: (secured: Secured) => void,
  ) {
    this.#services = services;
    this.#record = record;
    this.#terms = terms;
    this.#done = done;
    this.#firstBytes = firstBytes;
    this.alpn = terms.alpn;
  }

  start(): void {
    const { manager, timeouts } = this.#services;
    const record = this.#record;
    if (!manager.transition(record, 'handed-over')) return;
    record.setOwner(this);
    this.#startedAt = this.#services.clock.now();
    timeouts.arm(record, 'tlsHandshake', record.timeouts.tlsHandshakeMs);
    if (record.clientEnded) return this.#end('client-closed');
    record.client.setListener(this);
    if (this.#serverName === null) this.#fetchCertificate();
    else this.#fetchContext();
  }

  get #serverName(): string | null {
    return this.#record.hello?.serverName ?? null;
  }

  get #asked(): CertificateRequest {
    const name = this.#serverName;
    // Asked of the kernel, and of no use where there is a name.
    return { name, localAddress: name === null ? this.#localAddress : null };
  }

  /** Where the client connected to. */
  get #localAddress(): string | null {
    const { outer, client } = this.#record;
    const { ip } = outer?.destination ?? client.local;
    return ip === '' ? null : ip;
  }

  #fetchContext(): void {
    const answer = this.#services.certificates().contextFor(this.#terms.tls, this.#asked);
    if (answer instanceof Promise) void answer.then((later) => this.#showContext(later));
    else this.#showContext(answer);
  }

  #showContext(answer: ContextAnswer): void {
    if (this.#over) return;
    if (answer instanceof SmartProxyError) return this.#refuse(answer);
    this.context = answer;
    this.#handOver(null);
  }

  #fetchCertificate(): void {
    const answer = this.#services.certificates().certificateFor(this.#terms.tls, this.#asked);
    if (answer instanceof Promise) void answer.then((later) => this.#showCertificate(later));
    else this.#showCertificate(answer);
  }

  #showCertificate(certificate: CertificateAnswer): void {
    if (this.#over) return;
    if (certificate instanceof SmartProxyError) return this.#refuse(certificate);
    const authorities = this.#services.certificates().authoritiesFor(this.#terms.tls);
    this.#handOver({ certificate, authorities });
  }

  /** There is nothing to show. The log tells why, and the client whether it asked for what it may not have. */
  #refuse(error: SmartProxyError): void {
    this.#record.client.write(error.source === 'client' ? unrecognizedNameAlert : internalErrorAlert);
    this.#end('tls-handshake-failed', error);
  }

  #handOver(nameless: NamelessTerms | null): void {
    const record = this.#record;
    const below = record.client as SocketBackedTransport;
    // While there is no answer to a FIN in the middle of a handshake, it ends it.
    const socket = below.handOver(this.#firstBytes);
    socket.allowHalfOpen = false;
    this.#firstBytes = noBytes;
    this.#client = new HandedOverTransport(below);
    this.#client.setListener(this);
    record.client = this.#client;
    this.#terms.domain.accept(socket, this, nameless);
  }

  isFor(serverName: string): boolean {
    return serverName.toLowerCase().replace(/\.$/, '') === this.#serverName;
  }

  secured(socket: TLSSocket): void {
    const client = this.#client;
    if (this.#over || client === null) return void socket.destroy();
    this.#over = true;
    this.#closing?.cancel();
    const { clock, resources, meter } = this.#services;
    const record = this.#record;
    const now = clock.now();
    record.lastActivityAt = now;
    record.note(now, 'tls-established', describe(socket));
    meter?.handshakeOver(now - this.#startedAt);
    socket.disableRenegotiation();
    const protocol = socket.alpnProtocol || null;
    record.alpn = protocol;
    const open = (): Transport => {
      // HTTP/1 and handlers know half a close, and so does TLS 1.3 (RFC 8446 §6.1).
      socket.allowHalfOpen = true;
      const inside = new DecryptedTransport(socket, client.below, resources);
      client.opened(inside);
      return inside;
    };
    this.#done({ protocol, open });
  }

  failed(error: Error, socket: TLSSocket): void {
    if (this.#over) return;
    const reason = reasonOfHandshakeFailure(error, socket);
    if (reason === 'client-closed') return this.#clientLeft();
    this.#end(reason, reason === 'tls-handshake-failed' ? toldBriefly(error, socket) : error);
  }

  stop(): void {
    this.#over = true;
    this.#closing?.cancel();
    this.#firstBytes = noBytes;
    this.#record.client.setListener(null);
  }

  #end(reason: TerminationReason, error?: Error): void {
    const { manager, clock } = this.#services;
    if (reason === 'tls-handshake-failed' && error !== undefined) {
      this.#record.note(clock.now(), 'tls-failed', { reason: error.message, code: errorCode(error) });
    }
    manager.initiateCleanupOnce(this.#record, { reason, ...(error !== undefined && { error }) });
  }

  onError(error: Error): void {
    if (!this.#over) this.#end(reasonOfFailure('client', error), error);
  }

  /** TLS tells why, but only after its socket has closed; if it says nothing, the client has left. */
  onClose(): void {
    if (this.#over) return;
    this.#closing = this.#services.clock.setImmediate(() => this.#clientLeft());
  }

  #clientLeft(): void {
    if (this.#over) return;
    this.#services.manager.sideEnded(this.#record, 'client');
    this.#end('client-closed');
  }

  onData(): void {}

  onEnd(): void {}

  onDrain(): void {}

  onFinish(): void {}
}

const noBytes = new Uint8Array(0);

/** What the trail says of a session. */
function describe(socket: TLSSocket): Record<string, unknown> {
  const { alpnProtocol, authorized } = socket;
  return {
    version: socket.getProtocol(),
    cipher: socket.getCipher()?.name,
    ...(alpnProtocol && { alpn: alpnProtocol }),
    ...(socket.isSessionReused() && { resumed: true }),
    ...(authorized && { clientCertificate: true }),
  };
}

/** Node says ECONNRESET of both: with a system call it was RST, without one FIN. */
function reasonOfHandshakeFailure(error: Error, socket: TLSSocket): TerminationReason {
  if (socket.authorizationError) return 'tls-handshake-failed';
  if ('syscall' in error) return reasonOfFailure('client', error);
  return errorCode(error) === 'ECONNRESET' ? 'client-closed' : 'tls-handshake-failed';
}

/** OpenSSL's reason alone: its whole message names a source file and a thread. */
function toldBriefly(error: Error & { reason?: unknown }, socket: TLSSocket): Error {
  const { authorizationError } = socket;
  if (authorizationError) {
    const code = errorCode(authorizationError) ?? String(authorizationError);
    return Object.assign(new Error(`the client's certificate was refused: ${code}`), { code });
  }
  const reason = typeof error.reason === 'string' ? error.reason : errorMessage(error).trim();
  return Object.assign(new Error(reason), { code: errorCode(error) ?? undefined });
}
