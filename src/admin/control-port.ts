import type { ConnectionQuery } from '../connection/connection-query.ts';
import type { LiveSource } from './live/source.ts';

/** What the admin server can see and do. smart-proxy/ implements it; admin/ knows nothing else of it. */
export interface ControlPort {
  readonly state: 'starting' | 'ready' | 'draining' | 'stopped';
  /** What the dashboard shows, second by second. */
  readonly live: LiveSource;
  statistics(): unknown;
  /** Live records, oldest first, as the API shows them. */
  connections(): unknown[];
  /**
   * Those that match, and how many there are, those beyond the query's limit included. Each is
   * shown as it is when it is taken from the list.
   */
  findConnections(query: ConnectionQuery): { connections: Iterable<unknown>; total: number };
  /** One record, live or among the last ended. */
  connection(id: string): unknown | undefined;
  /** Ends a live connection with reason `operator`; false where there is none. */
  terminate(id: string): boolean;
  /**
   * The newest ended records first: of those that ended after the first `after` ones. `total` is how
   * many have ended, those that are forgotten included.
   */
  terminations(limit: number, after: number): { terminations: unknown[]; total: number };
  routes(): unknown[];
  /** The process: its version, its age, its memory. */
  instance(): unknown;
  /** What it was configured with, secrets masked. */
  configuration(): unknown;
  certificates(): unknown[];
  /** Renews one now; resolves with it. Rejects with `no-such-certificate`, `certificates-elsewhere`, or why it failed. */
  renewCertificate(name: string): Promise<unknown>;
  /** A text for Prometheus; null where nothing is measured. */
  metrics(): Promise<{ contentType: string; text: string } | null>;
  /** What happened in each of the last seconds, oldest first. */
  history(seconds: number): unknown[];
  /** Rejects with SmartProxyError `invalid-target` for a target that it cannot read. */
  explain(target: string, client?: string): Promise<unknown>;
  /** Re-reads the configuration. Rejects (nothing changed) with SmartProxyError where it is refused. */
  reload(): Promise<void>;
  /** Starts draining; resolves at once. */
  drain(): Promise<void>;
}
