import { normalizeAddress } from '../base/address.ts';
import type { PeerAddress, Transport, TransportListener } from '../base/transport.ts';
import type { FlowLine, Traffic } from './flow-line.ts';
import { readMark } from './marks.ts';

const nothing: Traffic = Object.freeze({ packets: 0, bytes: 0 });

/** Who is told what becomes of a flow. */
export interface FlowKeeper {
  /** The kernel is to forget it. */
  cut(flow: Flow): void;
  /** Nothing more will be told of it. */
  closed(flow: Flow): void;
}

/**
 * A connection that the kernel forwards, in the place where others have their client's socket: there is
 * an account of what crossed, and the only thing that can be done to it is to cut it. Nothing is read or
 * written here.
 */
export class Flow implements Transport {
  readonly key: string;
  /** Of connection tracking: tells it from an earlier flow with the same key. */
  readonly id: number;
  /** When it was first told of, as the events' clock has it: of two with one key the later is the younger. */
  readonly since: number;
  /** The number of its route. */
  readonly route: number;
  readonly peer: PeerAddress;
  readonly local: PeerAddress;
  readonly target: PeerAddress;
  /** The observer's own word for it. */
  label = '';
  /** False where its end, or a part of its account, was never told. */
  exact = true;
  /** Told as established. */
  established = false;
  /** Its ending was told. Its account may still be on its way. */
  over = false;
  /** The number of the last listing that it was in. */
  seenIn = 0;
  /** Listings one after another that it was missing in. */
  missed = 0;
  /** Listings of what is over that did not have its account. */
  waited = 0;
  fromClient: Traffic = nothing;
  toClient: Traffic = nothing;
  writeEnded = false;
  #closed = false;
  #listener: TransportListener | null = null;
  readonly #keeper: FlowKeeper;

  constructor(line: FlowLine, since: number, keeper: FlowKeeper) {
    this.key = line.key;
    this.id = line.id;
    this.since = since;
    this.route = readMark(line.mark).route;
    this.peer = { ip: normalizeAddress(line.clientIp) ?? line.clientIp, port: line.clientPort };
    this.local = { ip: normalizeAddress(line.localIp) ?? line.localIp, port: line.localPort };
    this.target = { ip: normalizeAddress(line.targetIp) ?? line.targetIp, port: line.targetPort };
    this.#keeper = keeper;
  }

  get packets(): { fromClient: number; toClient: number } {
    return { fromClient: this.fromClient.packets, toClient: this.toClient.packets };
  }

  get bytesRead(): number {
    return this.fromClient.bytes;
  }

  get bytesWritten(): number {
    return this.toClient.bytes;
  }

  readonly pendingBytes = 0;

  get readEnded(): boolean {
    return this.over;
  }

  get writeFinished(): boolean {
    return this.#closed;
  }

  /** Its account is final. */
  get closed(): boolean {
    return this.#closed;
  }

  setListener(listener: TransportListener | null): void {
    this.#listener = listener;
  }

  pause(): void {}

  resume(): void {}

  write(): boolean {
    return false;
  }

  /** Where it is not over: the kernel sends no FIN for us, so this is a cut too. */
  end(): void {
    this.reset();
  }

  /** Lets the kernel forget it: both ends get a RST with their next packet. */
  reset(): void {
    if (this.writeEnded) return;
    this.writeEnded = true;
    if (!this.over) this.#keeper.cut(this);
  }

  /** From here on it is the kernel's alone: nothing cuts it any more. */
  leave(): void {
    this.writeEnded = true;
  }

  /** The wait for its account is given up. */
  destroy(): void {
    this.reset();
    if (this.#closed) return;
    this.exact = false;
    this.close();
  }

  /** The account of a line, where it has one. Returns whether anything has crossed since the last. */
  take({ fromClient, toClient }: FlowLine): boolean {
    const before = this.fromClient.packets + this.toClient.packets;
    if (fromClient !== null) this.fromClient = fromClient;
    if (toClient !== null) this.toClient = toClient;
    return this.fromClient.packets + this.toClient.packets !== before;
  }

  /** Nothing more will be told of it. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#keeper.closed(this);
    const listener = this.#listener;
    // The flow is remembered for longer than whoever had it.
    this.#listener = null;
    listener?.onClose();
  }
}
