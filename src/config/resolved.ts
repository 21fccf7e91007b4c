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
  readonly admin: ResolvedAdmin | null;
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error';
    readonly connections: boolean;
    readonly requests: boolean;
  };
  readonly metrics: boolean;
  readonly stateDirectory: string;
  /** CIDRs whose `X-Forwarded-*` and `Forwarded` are believed, normalised. Empty: nobody's. */
  readonly trustForwarded: readonly string[];
  readonly networkProxy: ResolvedNetworkProxy;
  readonly nftables: ResolvedNftables;
  readonly certificates: ResolvedCertificates;
}

export interface ResolvedAdmin {
  readonly listen: string;
  readonly token: string | null;
}

export interface ResolvedNetworkProxy {
  readonly bridge: 'in-process' | 'loopback';
  /** Of the other process; null with `in-process`. */
  readonly port: number | null;
  /** The file with the key that both processes share; null with `in-process`. */
  readonly secretFile: string | null;
  /** Of the other process; null: none, and with `in-process`. */
  readonly admin: ResolvedAdmin | null;
}

/** Forwarding in the kernel, for the whole process. */
export interface ResolvedNftables {
  /** What the table is called after. */
  readonly instance: string;
  /** Whether forwarding is switched on where it is off. */
  readonly manageSysctls: boolean;
  /** Whether the table outlives the process. */
  readonly keepOnExit: boolean;
  /**
   * Flows at a time; 0: no limit. Only where the process's `maxConnections` was written: its default
   * is about descriptors, of which a flow has none.
   */
  readonly maxFlows: number;
}

export interface ResolvedCertificates {
  /** Where they are kept. */
  readonly directory: string;
  /** As it was written; null: nothing was said. */
  readonly acme: AcmeOptions | null;
  /** Days; null: a third of a certificate's life. */
  readonly renewBeforeDays: number | null;
}

/** How certificates are ordered (RFC 8555). */
export interface AcmeOptions {
  readonly email?: string | undefined;
  readonly directories?: readonly string[] | undefined;
  readonly challenge?: 'http-01' | 'tls-alpn-01' | 'dns-01' | undefined;
  readonly eab?: { readonly keyId: string; readonly hmacKey: string } | undefined;
  readonly dns?: { readonly command: string } | DnsHook | undefined;
  readonly ask?: string | ((name: string) => boolean | Promise<boolean>) | undefined;
  readonly rootFile?: string | undefined;
  readonly profile?: string | undefined;
  readonly keyType?: 'p256' | 'rsa2048' | undefined;
  readonly httpPort?: number | undefined;
  readonly dnsServers?: readonly string[] | undefined;
}

/** How a program answers DNS challenges. */
export interface DnsHook {
  /** Resolves once the TXT record can be seen. */
  present(name: string, value: string): Promise<void>;
  /** Removes it. */
  remove(name: string, value: string): Promise<void>;
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
  /**
   * How SmartProxy itself speaks TLS with the clients of this route. Null: it does not; the bytes
   * are passed through, or are not encrypted (`match.protocol` tells).
   */
  readonly tls: ResolvedTls | null;
  /**
   * Whether `tls` was taken from the routes of the same port and name. Then it says nothing about
   * certificates: those other routes do, each for its names.
   */
  readonly inheritsTls: boolean;
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
  /** As `normalizePath` gives them: exact, or a prefix that ends in `/*`. */
  readonly path: readonly string[] | null;
  readonly methods: readonly string[] | null;
  /** Names in lower case. */
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
  /** How the kernel forwards; null with engine `node`. */
  readonly nftables: ResolvedForwarding | null;
  /** 0: none is sent. */
  readonly sendProxyProtocol: 0 | 1 | 2;
  readonly http: ResolvedHttp;
}

export interface ResolvedForwarding {
  /** Whose address the targets see. */
  readonly source: 'masquerade' | 'keep';
  readonly balance: 'in-turn' | 'client-address';
}

/** What changes in HTTP requests and responses on their way. */
export interface ResolvedHttp {
  readonly headers: { readonly request: HeaderEdits; readonly response: HeaderEdits };
  /** `literal` is a name, with a port if one was written. */
  readonly hostHeader: 'preserve' | 'target' | { readonly literal: string };
  /** Begins with `/` and does not end with one; cut where a segment ends. Null: nothing is cut. */
  readonly stripPrefix: string | null;
}

/** In the order in which they are done. Names in lower case, each once in each list. */
export interface HeaderEdits {
  readonly remove: readonly string[];
  readonly set: readonly HeaderEdit[];
  readonly add: readonly HeaderEdit[];
}

export interface HeaderEdit {
  readonly name: string;
  /** A field line for each. */
  readonly values: readonly string[];
}

export interface ResolvedTarget {
  readonly host: string | ((context: RouteContext) => string | Promise<string>) | null;
  readonly port: number | 'preserve' | ((context: RouteContext) => number | Promise<number>) | null;
  /** A unix socket's path; then `host` and `port` are null. */
  readonly socket: string | null;
  readonly weight: number;
  readonly dns: 'system' | 'resolver';
  /** HTTP routes: what is spoken with it. */
  readonly protocol: 'http1' | 'http2' | 'auto';
  /** Null: clear text. */
  readonly tls: ResolvedTargetTls | null;
}

/** How SmartProxy speaks TLS with a target. */
export interface ResolvedTargetTls {
  /** A path, or PEM. Null: the authorities that Node knows. */
  readonly ca: string | null;
  /** Both, or neither. */
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** The name to ask for and to verify; null: the target's host. */
  readonly serverName: string | null;
  readonly verify: boolean;
}

/** What functions in a configuration are told about the connection. */
export interface RouteContext {
  connectionId: string;
  client: { ip: string; port: number };
  localPort: number;
  serverName?: string | undefined;
  alpn?: string | undefined;
  route: string;
  tls: boolean;
  request?: { method: string; host: string; path: string; headers: Record<string, string | string[]> };
  /** Aborted when the connection ends, or the request is over that the function was called for. */
  signal: AbortSignal;
}

/** How SmartProxy itself speaks TLS with clients. */
export interface ResolvedTls {
  readonly certificate: ResolvedCertificate;
  /** `ca` is a path, or PEM. */
  readonly clientAuth: { readonly ca: string; readonly required: boolean } | null;
  /** In order of preference. Empty: the client's offer is not answered. */
  readonly alpn: readonly string[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

export type ResolvedCertificate =
  /** Not said: `local` for localhost, *.localhost, *.test and addresses, else `auto`. */
  | { readonly from: 'default' }
  | { readonly from: 'auto' }
  | { readonly from: 'local' }
  | { readonly from: 'files'; readonly certFile: string; readonly keyFile: string }
  | { readonly from: 'inline'; readonly cert: string; readonly key: string };
