/**
 * How the body after a head ends (RFC 9112 §6.3). `tunnel`: HTTP is over, and bytes go both ways
 * until the end of the connection.
 */
export interface Framing {
  readonly kind: 'none' | 'length' | 'chunked' | 'until-close' | 'tunnel';
  /** Of the body, where the kind is `length`; else 0. */
  readonly bytes: number;
}

export const noBody: Framing = Object.freeze({ kind: 'none', bytes: 0 });
export const inChunks: Framing = Object.freeze({ kind: 'chunked', bytes: 0 });
export const untilClose: Framing = Object.freeze({ kind: 'until-close', bytes: 0 });
export const tunnel: Framing = Object.freeze({ kind: 'tunnel', bytes: 0 });
