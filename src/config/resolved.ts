import type { Duplex } from 'node:stream';

/**
 * Configuration after validation: every default filled in, every name and address normalised,
 * every shorthand spelled out, and frozen. What the other rooms read; only config/ makes it.
 */
export interface ResolvedOptions {
  readonly routes: readonly ResolvedRoute[];
  /** Process-wide values. A route's own are in the route. */
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  /** CIDRs that must send a PROXY header, normalised. Empty: nobody is believed. */
  readonly trustedSources: readonly string[];
  readonly admin: { readonly listen: string; readonly token: string | null } | null;
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error';
    readonly connections: boolean;
    readonly requests: boolean;
  };
  readonly stateDirectory: string;
}

/** Milliseconds; 0 means off. INTERFACE: configuration, `Timeouts`. */
export interface Timeouts {
  readonly initialDataMs: number;
  readonly connectMs: number;
  readonly tlsHandshakeMs: number;
  readonly inactivityMs: number;
  readonly halfCloseMs: number;
  readonly stalledWriteMs: number;
  readonly maxLifetimeMs: number;
  readonly cleanupGraceMs: number;
  readonly shutdownGraceMs: number;
  readonly requestHeadMs: number;
  readonly requestBodyMs: number;
  readonly keepAliveMs: number;
  readonly responseHeadMs: number;
  readonly responseWriteMs: number;
  readonly poolIdleMs: number;
}

/** Bytes and counts; 0 means no limit. */
export interface Limits {
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  readonly connectionsPerMinutePerIp: number;
  readonly initialDataBytes: number;
  readonly pendingBytesPerConnection: number;
  readonly headerBytes: number;
  readonly relayBufferBytes: number;
}

export type RouteProtocol = 'tcp' | 'tls' | 'http';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export interface ResolvedRoute {
  readonly name: string;
  /** Position in the configuration: the last tie-breaker. */
  readonly order: number;
  readonly priority: number;
  readonly match: ResolvedMatch;
  readonly action: ResolvedAction;
  readonly security: { readonly allow: readonly string[]; readonly block: readonly string[] };
  /** Only what the route itself limits (`maxConnections`, `maxConnectionsPerIp`, …; 0 = no limit of its own). */
  readonly limits: Limits;
  /** The route's own over the process's over the defaults. */
  readonly timeouts: Timeouts;
  /** Equal text means an unchanged route: what a reload compares. Functions compare by their source. */
  readonly fingerprint: string;
}

export interface ResolvedMatch {
  /** Sorted, not overlapping. `{from: 0, to: 0}` means any free port. */
  readonly ports: readonly PortRange[];
  /** Where to listen; null: every address, dual stack. */
  readonly address: string | null;
  /** Lower case, ASCII (punycode), no trailing dot; `*.a.test`; `*`. Null: the route needs no name. */
  readonly domains: readonly string[] | null;
  readonly path: readonly string[] | null;
  readonly methods: readonly string[] | null;
  readonly headers: Readonly<Record<string, string>> | null;
  /** Normalised CIDRs. Null: every client. */
  readonly clientIp: readonly string[] | null;
  readonly protocol: RouteProtocol;
  readonly alpn: readonly string[] | null;
}

export type ResolvedAction =
  | ResolvedForward
  | { readonly type: 'block'; readonly how: 'close' | 'reset' }
  | {
      readonly type: 'handler';
      readonly handle: (stream: Duplex, context: RouteContext) => void | Promise<void>;
    }
  | { readonly type: 'redirect'; readonly to: string; readonly status: number }
  | {
      readonly type: 'respond';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    };

export interface ResolvedForward {
  readonly type: 'forward';
  /** At least one. `host` arrays are spelled out as equal targets. */
  readonly targets: readonly ResolvedTarget[];
  readonly tls: 'none' | 'passthrough' | 'terminate' | 'terminate-and-reencrypt';
  readonly engine: 'node' | 'nftables';
  /** 0: none is sent. */
  readonly sendProxyProtocol: 0 | 1 | 2;
}

export interface ResolvedTarget {
  readonly host: string | ((context: RouteContext) => string | Promise<string>) | null;
  readonly port: number | 'preserve' | ((context: RouteContext) => number | Promise<number>) | null;
  /** A unix socket's path; then `host` and `port` are null. */
  readonly socket: string | null;
  readonly weight: number;
  readonly dns: 'system' | 'resolver';
}

/** What functions in a configuration are told about the connection. */
export interface RouteContext {
  connectionId: string;
  client: { ip: string; port: number };
  localPort: number;
  serverName?: string;
  alpn?: string;
  route: string;
  tls: boolean;
  request?: { method: string; host: string; path: string; headers: Record<string, string | string[]> };
  /** Aborted when the connection ends. */
  signal: AbortSignal;
}
