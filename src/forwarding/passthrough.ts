import type { DialFailure, Dialing, Endpoint, Transport, TransportListener } from '../base/transport.ts';
import type { ResolvedForward, ResolvedRoute } from '../config/resolved.ts';
import type { ConnectionOwner, ConnectionRecord } from '../connection/connection-record.ts';
import { reasonOfFailure } from '../connection/ending-policy.ts';
import type { Selection, SelectionFailure, TargetSelector } from '../targets/target-selector.ts';
import { encodeProxyHeader } from '../transport/proxy-header.ts';
import { ClientBuffer } from './client-buffer.ts';
import { JoinedPair } from './joined-pair.ts';
import { ConnectionContext } from './route-context.ts';
import type { ForwardingServices } from './services.ts';

/**
 * Forwards a connection untouched: dials a target, then joins the two. Takes the client over;
 * `firstBytes` is what was read of it so far.
 */
export function passthrough(
  services: ForwardingServices,
  record: ConnectionRecord,
  route: ResolvedRoute & { action: ResolvedForward },
  selector: TargetSelector,
  firstBytes: Uint8Array,
): void {
  const version = route.action.sendProxyProtocol;
  const header = (): Uint8Array | null => (version === 0 ? null : proxyHeader(record, version));
  dialAndJoin(services, record, route, { selector, header }, firstBytes);
}

/** Where a connection goes on. */
export interface Destination {
  readonly selector: Pick<TargetSelector, 'next'>;
  /** What the target gets before everything else; asked for once it is connected. */
  header(): Uint8Array | null;
}

/** Dials a destination under a route's terms, then joins the client to it, untouched. */
export function dialAndJoin(
  services: ForwardingServices,
  record: ConnectionRecord,
  route: ResolvedRoute,
  destination: Destination,
  firstBytes: Uint8Array,
): void {
  if (!services.manager.transition(record, 'dialing')) return;
  const phase = new DialingPhase(services, record, route, destination);
  record.setOwner(phase);
  phase.start(firstBytes);
}

/**
 * While dialing the client is read: its RST aborts the dial, and so does a FIN with nothing before
 * it (L9). A FIN after bytes is mirrored once the target is there (L4).
 */
class DialingPhase implements TransportListener, ConnectionOwner {
  readonly #services: ForwardingServices;
  readonly #record: ConnectionRecord;
  readonly #route: ResolvedRoute;
  readonly #destination: Destination;
  readonly #context: ConnectionContext;
  readonly #buffer: ClientBuffer;
  readonly #tried = new Set<number>();
  #dialing: Dialing | null = null;
  #lastFailure: DialFailure | null = null;
  #dialStartedAt = 0;
  #deadlineAt = 0;
  #stopped = false;

  constructor(
    services: ForwardingServices,
    record: ConnectionRecord,
    route: ResolvedRoute,
    destination: Destination,
  ) {
    this.#services = services;
    this.#record = record;
    this.#route = route;
    this.#destination = destination;
    this.#context = new ConnectionContext(record, route);
    this.#buffer = new ClientBuffer(record.client, route.limits.pendingBytesPerConnection);
  }

  start(firstBytes: Uint8Array): void {
    const { client } = this.#record;
    this.#deadlineAt = this.#services.clock.now() + this.#route.timeouts.connectMs;
    this.#arm('connect');
    client.setListener(this);
    if (!this.#record.clientEnded) client.resume();
    this.#buffer.adopt(firstBytes);
    this.#tryNext();
  }

  stop(): void {
    this.#stopped = true;
    this.#dialing?.abort();
    this.#dialing = null;
    this.#context.abort();
    this.#record.client.setListener(null);
    this.#buffer.take();
  }

  /** One deadline for everything until the target is reached; whoever is waited for at its end is to blame. */
  #arm(waitingFor: 'targetSelection' | 'connect'): void {
    const { connectMs } = this.#route.timeouts;
    const leftMs = connectMs === 0 ? 0 : Math.max(1, this.#deadlineAt - this.#services.clock.now());
    this.#services.timeouts.arm(this.#record, waitingFor, leftMs);
  }

  #tryNext(): void {
    const next = this.#destination.selector.next(this.#context, this.#tried);
    if (!(next instanceof Promise)) return this.#select(next);
    this.#arm('targetSelection');
    next.then(
      (selection) => this.#selectedLater(selection),
      (error) => this.#select({ failed: true, error }),
    );
  }

  #selectedLater(selection: Selection | SelectionFailure): void {
    if (this.#stopped) return;
    this.#arm('connect');
    this.#select(selection);
  }

  #select(selection: Selection | SelectionFailure | null): void {
    if (this.#stopped) return;
    if (selection === null) return this.#giveUp();
    if ('failed' in selection) {
      const cause = { reason: 'target-selection-failed', error: selection.error } as const;
      this.#services.manager.initiateCleanupOnce(this.#record, cause);
      return;
    }
    this.#tried.add(selection.index);
    this.#dial(selection.endpoint);
  }

  #dial(endpoint: Endpoint): void {
    const now = this.#services.clock.now();
    const address = addressOf(endpoint);
    this.#record.targetAddress = address;
    this.#record.note(now, 'dialing', address);
    this.#dialStartedAt = now;
    this.#dialing = this.#services.dial(endpoint, {
      onConnected: (target) => this.#join(target),
      onFailed: (failure) => this.#dialFailed(failure),
    });
  }

  #dialFailed(failure: DialFailure): void {
    this.#dialing = null;
    this.#lastFailure = failure;
    const now = this.#services.clock.now();
    this.#record.note(now, 'dial-failed', { reason: failure.reason, error: failure.error.message });
    this.#tryNext();
  }

  #giveUp(): void {
    const { reason, error } = this.#lastFailure ?? {
      reason: 'internal-error',
      error: new Error('no target was tried'),
    };
    this.#services.manager.initiateCleanupOnce(this.#record, { reason, error });
  }

  #join(target: Transport): void {
    this.#dialing = null;
    const { manager, clock } = this.#services;
    const record = this.#record;
    if (this.#stopped || !manager.transition(record, 'established')) return target.reset();
    const now = clock.now();
    record.target = target;
    record.joined = true;
    record.lastActivityAt = now;
    record.note(now, 'connected', { dialMs: Math.round((now - this.#dialStartedAt) * 1000) / 1000 });
    this.#writeFirstBytes(target);
    const pair = new JoinedPair(this.#services, record, target);
    record.setOwner(pair);
    pair.start();
  }

  #writeFirstBytes(target: Transport): void {
    const header = this.#destination.header();
    if (header !== null) target.write(header);
    for (const chunk of this.#buffer.take()) target.write(chunk);
  }

  onData(bytes: Uint8Array): void {
    this.#record.lastActivityAt = this.#services.clock.now();
    this.#buffer.append(bytes);
  }

  onEnd(): void {
    this.#services.manager.sideEnded(this.#record, 'client');
    if (this.#buffer.size === 0) this.#endedByClient('client-closed');
  }

  onError(error: Error): void {
    this.#endedByClient(reasonOfFailure('client', error), error);
  }

  onClose(): void {
    this.#endedByClient(reasonOfFailure('client', undefined));
  }

  #endedByClient(reason: 'client-closed' | ReturnType<typeof reasonOfFailure>, error?: Error): void {
    this.#services.manager.initiateCleanupOnce(
      this.#record,
      error === undefined ? { reason } : { reason, error },
    );
  }

  onDrain(): void {}

  onFinish(): void {}
}

function addressOf(endpoint: Endpoint): { host: string; port: number } {
  return 'socket' in endpoint
    ? { host: endpoint.socket, port: 0 }
    : { host: endpoint.host, port: endpoint.port };
}

function proxyHeader(record: ConnectionRecord, version: 1 | 2): Uint8Array {
  const { hello } = record;
  return encodeProxyHeader(version, {
    source: record.clientAddress,
    destination: { ip: record.client.local.ip, port: record.localPort },
    tlvs: {
      uniqueId: record.id,
      ...(hello?.serverName ? { authority: hello.serverName } : {}),
      ...(hello?.alpn[0] ? { alpn: hello.alpn[0] } : {}),
    },
  });
}
