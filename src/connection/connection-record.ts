import type { ConnectionState, Termination } from '../base/termination.ts';
import { legalMoves } from '../base/termination.ts';
import type { PeerAddress, Transport } from '../base/transport.ts';
import type { ResolvedRoute, Timeouts } from '../config/resolved.ts';
import type { SocketCloser } from './cleanup-socket.ts';
import { GoneTransport } from './gone-transport.ts';

/** One step of a connection's story. `atMs` counts from accept. */
export interface TrailEvent {
  readonly atMs: number;
  readonly what: string;
  readonly [detail: string]: unknown;
}

/** A trail never grows past this: the last place is kept for the ending. */
const maxTrailEvents = 32;

/** A step as it is kept; an event is made of it when somebody asks, which for most records is never. */
interface Step {
  readonly at: number;
  readonly what: string;
  readonly details: Readonly<Record<string, unknown>> | undefined;
}

const noClosers: SocketCloser[] = [];

/** What a connection that the kernel forwards has beside bytes, which are those of layer 3. */
export interface KernelAccount {
  readonly packets: { readonly fromClient: number; readonly toClient: number };
  /** False where the kernel's events overran, and its ending or a part of the account is not known. */
  readonly exact: boolean;
}

/** What the ClientHello said. */
export interface HelloSummary {
  readonly serverName: string | null;
  readonly alpn: readonly string[];
}

/** Whoever drives a connection in its present phase: the reader, a dial, a relay, a handler. */
export interface ConnectionOwner {
  /** Detaches from every transport and timer, and frees its buffers. Idempotent; reports nothing. */
  stop(): void;
}

/**
 * Everything that is known of one connection, from accept until it is forgotten. Only the
 * connection's present owner writes to it, and only ConnectionManager ends it.
 */
export class ConnectionRecord {
  readonly id: string;
  /** The accepted side. */
  client: Transport;
  /** The address that limits, routes and logs use: from the PROXY header, where one was believed. */
  clientAddress: PeerAddress;
  /** The port that the client connected to. */
  localPort: number;
  /** The listener that it came through, by its key in the route index; empty where nobody says. */
  listener = '';
  /** Monotonic milliseconds of the injected clock. */
  readonly startedAt: number;
  /** Milliseconds since the epoch. */
  readonly startedAtWall: number;
  lastActivityAt: number;

  #state: ConnectionState = 'accepted';
  /** The other side, from the moment that a dial succeeded. */
  target: Transport | null = null;
  /** What is being dialled, or was last. */
  targetAddress: { host: string; port: number } | null = null;
  route: ResolvedRoute | null = null;
  hello: HelloSummary | null = null;
  /** What ALPN agreed on, where TLS ends here. */
  alpn: string | null = null;
  /** The deadlines in force: the port's before a route is known, then the route's. */
  timeouts: Timeouts;
  /** Bytes of a PROXY header that was read from the client: not payload. */
  proxyHeaderBytes = 0;
  viaNetworkProxy = false;
  /** Null for a connection whose bytes this process moves. */
  kernel: KernelAccount | null = null;
  /** HTTP requests that it has begun. */
  requests = 0;
  /** Its requests are routed one by one among those of this site; null: it belongs to its route. */
  siteKey: string | null = null;
  /** Another process of ours brought it: its record there, and the address that the client asked for. */
  outer: { readonly id: string; readonly destination: PeerAddress } | null = null;
  /** The client was joined to a target or a handler: from here on an abrupt ending resets both sides. */
  joined = false;
  /** The FIN of each side was read. */
  clientEnded = false;
  targetEnded = false;
  /** Whose FIN came first: that side closed the connection. A handler is the target's side. */
  firstEnded: 'client' | 'target' | null = null;
  /** Set once, by the first cause. */
  termination: Termination | null = null;
  /** Who closes the sockets, once the connection is ending. */
  closers: SocketCloser[] = [];
  #owner: ConnectionOwner | null = null;
  readonly #steps: Step[] = [];

  constructor(init: {
    id: string;
    client: Transport;
    clientAddress: PeerAddress;
    localPort: number;
    startedAt: number;
    startedAtWall: number;
    timeouts: Timeouts;
  }) {
    this.id = init.id;
    this.client = init.client;
    this.clientAddress = init.clientAddress;
    this.localPort = init.localPort;
    this.startedAt = init.startedAt;
    this.startedAtWall = init.startedAtWall;
    this.lastActivityAt = init.startedAt;
    this.timeouts = init.timeouts;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Moves on, or returns false for a late move: the caller then releases what it holds. */
  transitionTo(state: ConnectionState): boolean {
    if (!legalMoves[this.#state].includes(state)) return false;
    this.#state = state;
    return true;
  }

  /** Passes the connection on. The former owner must have let go of it already. */
  setOwner(owner: ConnectionOwner): void {
    this.#owner = owner;
  }

  /** The ending takes the connection from whoever owns it. */
  releaseOwner(): void {
    const owner = this.#owner;
    this.#owner = null;
    owner?.stop();
  }

  /** Lets go of the sockets, of which only the account is kept: the record may live on for long. */
  seal(): void {
    this.client = new GoneTransport(this.client);
    if (this.kernel !== null) this.kernel = { packets: this.kernel.packets, exact: this.kernel.exact };
    this.target = null;
    this.closers = noClosers;
  }

  /** What the kernel says of it after all; it has ended. */
  correct(bytes: { fromClient: number; toClient: number }, kernel: KernelAccount): void {
    this.client = new GoneTransport({
      ...this.client,
      bytesRead: bytes.fromClient + this.proxyHeaderBytes,
      bytesWritten: bytes.toClient,
    });
    this.kernel = kernel;
  }

  /** Past the first cause: nothing may be started for this connection any more. */
  get ending(): boolean {
    return this.#state === 'closing' || this.#state === 'closed';
  }

  /** Adds to the story; silently drops what is past the bound. `details` must not change any more. */
  note(now: number, what: string, details?: Readonly<Record<string, unknown>>): void {
    if (this.#steps.length >= maxTrailEvents - 1 && what !== 'ending') return;
    this.#steps.push({ at: now, what, details });
  }

  /** The story so far. */
  get trail(): TrailEvent[] {
    return this.#steps.map(({ at, what, details }) => ({
      atMs: Math.round((at - this.startedAt) * 1000) / 1000,
      what,
      ...details,
    }));
  }

  /** Payload bytes on the client's side. */
  get bytesFromClient(): number {
    return this.client.bytesRead - this.proxyHeaderBytes;
  }

  get bytesToClient(): number {
    return this.client.bytesWritten;
  }
}
