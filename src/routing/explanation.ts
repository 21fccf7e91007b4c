import type { ConnectionQuery } from './port-table.ts';

/** A request as `explain` imagines it. */
export interface ExplainedRequest {
  /** As `requestName` gives it; null: none. */
  readonly host: string | null;
  readonly path: string;
  readonly method: string;
  /** By names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
}

/** A connection as `explain` imagines it. */
export interface ExplainQuery extends ConnectionQuery {
  /** The port that it arrives at. */
  readonly port: number;
  /** The address that it arrives at (normalised). Null: the one of the port's listener, or any. */
  readonly localAddress: string | null;
  /** What it asks for, where the route of a request is the question. */
  readonly request?: ExplainedRequest;
}

export interface ExplainedCandidate {
  readonly route: string;
  readonly outcome: 'chosen' | 'lost' | 'no-match';
  /** In plain words. */
  readonly why: string;
}

export interface Explanation {
  /** The route that such a connection, or request, takes; null where there is none. */
  readonly route: string | null;
  /** Why a request has no route although its connection has one: answered with 421, or 400. */
  readonly outcome?: 'misdirected' | 'ambiguous-path';
  /** The key of the listener that accepts it; null where nothing listens there. */
  readonly listener: string | null;
  /** Every route, in the order of the configuration. */
  readonly candidates: readonly ExplainedCandidate[];
}

/** A connection at a known listener. */
export interface Arrival extends ExplainQuery {
  readonly localAddress: string;
}
