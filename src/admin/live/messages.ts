/**
 * What the live stream says: the contract between the admin server and everything that watches it.
 * Nothing here but types, so that a page in a browser can share them.
 *
 *   snapshot   the first message, and again after a viewer was too slow for a while
 *   tick       what has changed since the message before
 *   bye        the last one: the proxy has stopped
 */
import type { ConnectionState, Initiator, TerminationReason } from '../../base/termination.ts';
import type { HistorySample } from '../../metrics/history.ts';

export type { HistorySample };

export type ProxyState = 'starting' | 'ready' | 'draining' | 'stopped';

/** A live connection, as flat as it can be: thousands of them are compared each second. */
export interface LiveRow {
  readonly id: string;
  readonly engine: 'node' | 'nftables';
  readonly state: ConnectionState;
  readonly route: string | null;
  /** The client's address, without its port. */
  readonly client: string;
  readonly clientPort: number;
  readonly localPort: number;
  /** `host:port`, `[address]:port` or a socket's path. */
  readonly target: string | null;
  /** The server name that the client asked for. */
  readonly name: string | null;
  /** Milliseconds since the epoch, as all times here. */
  readonly startedAt: number;
  readonly fromClient: number;
  readonly toClient: number;
  /** With engine `nftables`, where bytes are those of layer 3. */
  readonly packets?: { readonly fromClient: number; readonly toClient: number };
  /** With engine `nftables`: false where the kernel's events overran. */
  readonly exact?: boolean;
}

/** Bytes of a connection of which nothing else has changed: id, from the client, to the client. */
export type Move = readonly [id: string, fromClient: number, toClient: number];

export interface EndedRow extends LiveRow {
  readonly reason: TerminationReason;
  readonly initiator: Initiator;
  readonly phase: ConnectionState;
  readonly error: string | null;
  readonly endedAt: number;
  readonly durationMs: number;
}

/** Everything that is counted, as of now. Only goes up, but for `active`. */
export interface Counters {
  readonly active: number;
  readonly opened: number;
  readonly terminated: number;
  readonly refused: number;
  readonly handshakes: number;
  readonly requests: number;
}

export interface AuditLight {
  readonly records: number;
  readonly sockets: number;
  readonly consistent: boolean;
}

export interface PoolRow {
  readonly target: string;
  readonly idle: number;
  readonly busy: number;
  readonly opened: number;
  readonly reused: number;
}

/** What is told whole each time. */
export interface Overview {
  readonly state: ProxyState;
  /** By the proxy's clock. */
  readonly at: number;
  readonly counters: Counters;
  readonly audit: AuditLight;
  readonly pools: readonly PoolRow[];
  /** Goes up with each reload: routes are to be asked for again. */
  readonly configuration: number;
}

export interface Snapshot extends Overview {
  readonly version: string;
  readonly tickMs: number;
  /** Whether anything is measured: without it there are no samples, ever. */
  readonly measured: boolean;
  /** What happened in the last hour, oldest first: in steps of several seconds, and of one in the last minutes. */
  readonly samples: readonly HistorySample[];
  readonly rows: readonly LiveRow[];
  /** The last that ended, newest last. */
  readonly endings: readonly EndedRow[];
}

export interface Tick extends Overview {
  /** Those that were taken since. */
  readonly samples: readonly HistorySample[];
  /** New connections, and those of which more than the bytes has changed. */
  readonly rows: readonly LiveRow[];
  readonly moves: readonly Move[];
  /** Ids that are no longer shown: ended, or pushed out by the bound. */
  readonly gone: readonly string[];
  readonly endings: readonly EndedRow[];
}

export interface Bye {
  readonly reason: 'stopped';
}
