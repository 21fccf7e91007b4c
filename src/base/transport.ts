/**
 * One end of a byte stream as this project sees it. The relay, the first-bytes reader and the
 * clean-up speak only this; `transport/` implements it on native read buffers, on plain Node
 * streams, and in memory for the simulation.
 *
 * A transport has exactly one listener at a time: whoever owns the connection in its present
 * phase. `setListener` moves the ownership, and the former listener hears nothing more. Without
 * a listener a transport reads nothing, and swallows errors.
 */
export interface Transport {
  readonly peer: PeerAddress;
  /** The address and port on this machine. */
  readonly local: PeerAddress;
  /** Payload bytes handed to `onData` so far. */
  readonly bytesRead: number;
  /** Payload bytes that the kernel took so far: `write`s less `pendingBytes`. */
  readonly bytesWritten: number;
  /** Bytes accepted by `write` that the kernel has not taken yet. */
  readonly pendingBytes: number;
  /** The peer's FIN was read and told with `onEnd`. */
  readonly readEnded: boolean;
  /** `end` was called. */
  readonly writeEnded: boolean;
  /** Our FIN is out: everything before it was taken by the kernel. */
  readonly writeFinished: boolean;
  /** The descriptor is gone, or is about to be with nothing that can stop it; `onClose` was told. */
  readonly closed: boolean;

  /** Moves ownership. Never calls the new listener synchronously. */
  setListener(listener: TransportListener | null): void;
  /** Stops `onData` and `onEnd` as soon as possible: at once for the next read. A fresh transport is paused. */
  pause(): void;
  resume(): void;
  /**
   * Queues bytes. The transport copies what it must keep, unless `loan` lets it keep the memory
   * itself. Returns false when the writer should wait for `onDrain`; nothing is refused.
   * After `end`, `reset` or `destroy`, or once closed, it does nothing and returns false.
   */
  write(bytes: Uint8Array, loan?: Loan): boolean;
  /** Where bytes can be put together that are to be written; undefined: nowhere but in memory of one's own. */
  readonly composition?: Composition | undefined;
  /** Sends FIN after everything pending (half-close). Idempotent. Reading goes on. */
  end(): void;
  /** Sends RST; pending bytes are dropped. Idempotent, and safe while a FIN is in flight (L25). */
  reset(): void;
  /** Closes at once: pending bytes are dropped. Idempotent. */
  destroy(): void;
}

/**
 * Memory of a transport's, where a writer puts bytes together instead of making memory for them.
 * They are written as soon as the present turn of the event loop is over, with whatever else was
 * written in it.
 */
export interface Composition {
  /** The next byte goes to `end`. Both are others after a `reserve`. */
  readonly memory: Buffer;
  end: number;
  /** Bytes that were put here since `commit` was last called. */
  readonly length: number;
  /** Makes room for so many bytes. */
  reserve(length: number): void;
  /** As `write`, of everything put here since it was last called. Due within the call that began to put it. */
  commit(): boolean;
}

/** What a transport tells its owner. No method may throw. */
export interface TransportListener {
  /**
   * Bytes were read. `bytes` is valid only during the call: whoever keeps any copies them, or
   * passes `loan` on to the `write` of another transport.
   */
  onData(bytes: Uint8Array, loan?: Loan): void;
  /** The peer sent FIN, after all data. Half a close, not an ending. */
  onEnd(): void;
  /** `pendingBytes` fell to 0 after a `write` had returned false. */
  onDrain(): void;
  /** Our FIN is out. */
  onFinish(): void;
  /** The transport failed; `onClose` follows. */
  onError(error: Error): void;
  /** The last call: the descriptor is gone. Exactly once, to whoever is the listener then. */
  onClose(): void;
}

/**
 * Permission to keep the memory of one `onData` beyond the call. A writer that still needs the
 * bytes after `write` returns calls `take`; the reader then reads nothing into that memory until
 * `giveBack`, which must come in every case (written, or destination closed), exactly once.
 */
export interface Loan {
  take(): void;
  giveBack(): void;
}

export interface PeerAddress {
  /** A normalised IP address; empty for a unix socket. */
  ip: string;
  /** 0 for a unix socket. */
  port: number;
}

/** Where a dial goes. */
export type Endpoint = { host: string; port: number; dns?: 'system' | 'resolver' } | { socket: string };

/**
 * Starts one dial. Calls exactly one of the handlers' methods, exactly once, never synchronously,
 * and neither after `abort`. It has no deadline of its own: the caller aborts. Ownership of the
 * transport (paused, without a listener) passes with `onConnected`.
 */
export type Dial = (endpoint: Endpoint, handlers: DialHandlers) => Dialing;

export interface DialHandlers {
  onConnected(transport: Transport): void;
  onFailed(failure: DialFailure): void;
}

export interface Dialing {
  /** Idempotent; leaves no socket, timer or query behind. */
  abort(): void;
}

export interface DialFailure {
  reason:
    | 'connect-refused'
    | 'connect-unreachable'
    | 'dns-failed'
    | 'target-timed-out'
    | 'resource-exhausted'
    | 'internal-error';
  error: Error;
}
