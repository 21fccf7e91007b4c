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

/** Counts. It hears of everything whether or not anything is logged, so that nothing is made for it. Must not throw. */
export interface Meter {
  /**
   * A request is over; one that became a tunnel, when it did.
   *
   * @param route null: none took it
   * @param status null: the client left before there was an answer
   */
  requestOver(route: string | null, method: string, status: number | null, durationMs: number): void;
  /** One that could not be read was answered: it has no route, no method, and took no time. */
  requestRefused(status: number): void;
  /** A TLS handshake with a client was completed. */
  handshakeOver(durationMs: number): void;
}

/** Hears of every request once, when it is over. Must not throw. */
export interface RequestObserver {
  requestEnded(entry: RequestEntry): void;
}
