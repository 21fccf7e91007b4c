/** One request, as the access log tells it. Durations are milliseconds; null: it never came to that. */
export interface RequestEntry {
  readonly requestId: string;
  readonly connection: string;
  readonly client: string;
  readonly route: string | null;
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly path: string;
  readonly version: '1.0' | '1.1' | '2';
  readonly target: string | null;
  /** What the client was told; null where it left before. */
  readonly status: number | null;
  /** Of the request and of the answer, heads included. */
  readonly bytes: { readonly fromClient: number; readonly toClient: number };
  readonly times: {
    /** Until a connection to the backend was there, without `connectMs`. */
    readonly queueMs: number | null;
    /** Dial and handshake; 0 on a connection that was there. */
    readonly connectMs: number | null;
    /** Until the answer's head. */
    readonly firstByteMs: number | null;
    readonly totalMs: number;
  };
  readonly reused: boolean;
  readonly retried: boolean;
  /** Why it did not go well; null where it did. */
  readonly error: string | null;
}

/** Hears of every request once, when it is over. Must not throw. */
export interface RequestObserver {
  requestEnded(entry: RequestEntry): void;
}
