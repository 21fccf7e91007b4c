import type { ConnectionState, Initiator, TerminationReason } from '../../../base/termination.ts';

/** What the admin API answers, as far as pages read it. */

export interface TrailEvent {
  readonly atMs: number;
  readonly what: string;
  readonly [detail: string]: unknown;
}

export interface ConnectionRecord {
  readonly id: string;
  readonly state: ConnectionState;
  readonly route: string | null;
  readonly engine: 'node' | 'nftables';
  readonly client: { readonly ip: string; readonly port: number };
  readonly localPort: number;
  readonly target: { readonly host: string; readonly port: number } | null;
  readonly tls: {
    readonly mode: string;
    readonly serverName: string | null;
    readonly alpn: readonly string[];
  } | null;
  readonly viaNetworkProxy: boolean;
  /** Its id in the SmartProxy that brought it from another process. */
  readonly outer?: string;
  readonly requests: number;
  readonly clientEnded: boolean;
  readonly targetEnded: boolean;
  readonly startedAt: string;
  readonly lastActivityAt: string;
  readonly bytes: { readonly fromClient: number; readonly toClient: number };
  /** Of what the kernel forwards. */
  readonly packets?: { readonly fromClient: number; readonly toClient: number };
  readonly exact?: boolean;
  readonly events: readonly TrailEvent[];
  /** Of a live one: what it waits for. */
  readonly waits?: readonly { readonly setting: string; readonly ofMs: number; readonly leftMs: number }[];
  readonly termination: {
    readonly reason: TerminationReason;
    readonly initiator: Initiator;
    readonly phase: ConnectionState;
    readonly error: { readonly code: string | null; readonly message: string } | null;
    readonly endedAt: string;
    readonly durationMs: number;
  } | null;
}

export interface ExplainedReason {
  readonly reason: TerminationReason;
  readonly initiator: Initiator;
  readonly text: string;
  readonly look: readonly string[];
}

export interface Explanation {
  readonly route: string | null;
  readonly outcome?: string;
  readonly listener: string | null;
  readonly candidates: readonly {
    readonly route: string;
    readonly outcome: 'chosen' | 'lost' | 'no-match';
    readonly why: string;
  }[];
  /** Of a connection: how it went, in plain words. */
  readonly story?: string;
}

export interface Route {
  readonly name: string;
  readonly priority: number;
  readonly match: {
    readonly ports: readonly { readonly from: number; readonly to: number }[];
    readonly address: string | null;
    readonly domains: readonly string[] | null;
    readonly path: readonly string[] | null;
    readonly methods: readonly string[] | null;
    readonly headers: Readonly<Record<string, string>> | null;
    readonly clientIp: readonly string[] | null;
    readonly protocol: 'tcp' | 'tls' | 'http';
  };
  readonly action: RouteAction;
  /** Where it takes connections, with the real ports. */
  readonly listeners: readonly { readonly address: string; readonly port: number }[];
  readonly active: number;
  /** Totals; missing where nothing is measured. */
  readonly bytes?: { readonly fromClient: number; readonly toClient: number };
  readonly terminations?: Readonly<Record<string, number>>;
  readonly statuses?: Readonly<Record<string, number>>;
}

export type RouteAction =
  | {
      readonly type: 'forward';
      readonly targets: readonly RouteTarget[];
      readonly tls: 'none' | 'passthrough' | 'terminate' | 'terminate-and-reencrypt';
      readonly engine: 'node' | 'nftables';
    }
  | { readonly type: 'redirect'; readonly to: string; readonly status: number }
  | { readonly type: 'respond'; readonly status: number }
  | { readonly type: 'block'; readonly how: string }
  | { readonly type: 'handler' };

export interface RouteTarget {
  readonly host: string | null;
  readonly port: number | string | null;
  readonly socket: string | null;
  readonly weight: number;
}

export interface Certificate {
  readonly source: 'files' | 'inline' | 'local' | 'auto';
  readonly names: readonly string[];
  /** What is null is not there, or not known: a certificate may be on order. */
  readonly subject: string | null;
  readonly issuer: string | null;
  readonly validFrom: string | null;
  readonly validTo: string | null;
  readonly fingerprint: string | null;
  readonly certFile: string | null;
  /** Why there is none, or why a newer one does not serve. */
  readonly problem: string | null;
  /** The rest is of those that are ordered by ACME. */
  readonly authority: string | null;
  readonly renewAt: string | null;
  readonly nextAttemptAt: string | null;
  readonly ordering: boolean;
}
