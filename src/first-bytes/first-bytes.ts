import type { ClientHello } from './client-hello.ts';
import type { ProxyHeader } from './proxy-header.ts';

/** What to read before a route can be chosen. */
export interface FirstBytesOptions {
  /** `required`: the peer must send a PROXY header. `none`: one is ordinary first bytes (P3). */
  proxyHeader: 'required' | 'none';
  /** Whether to find out what the client speaks. False where no route on the port asks (L18). */
  detect: boolean;
  /** What a decision may take, in bytes: PROXY header and ClientHello together. At least 64. */
  maxBytes: number;
  /**
   * Called once the PROXY header is complete: now the client's address is known. The answer says
   * whether to go on to detect; null ends the reading, detached, without a result: the
   * caller has turned the client away. Without it `detect` above holds.
   */
  onProxyHeader?: (header: ProxyHeader) => { detect: boolean } | null;
}

/** The client's first bytes are known well enough to choose a route. */
export interface FirstBytes {
  outcome: 'read';
  /** `none`: nothing was to be detected. `tls` comes with a hello. */
  kind: 'none' | 'tls' | 'http' | 'other';
  hello: ClientHello | null;
  /** `kind` is `http`, by the preface of clear-text HTTP/2. */
  http2: boolean;
  proxyHeader: ProxyHeader | null;
  /** `kind` is `other`: the client sent a PROXY header that nobody asked for. */
  unwantedProxyHeader: boolean;
  /** Everything that was read after the PROXY header, in memory that nothing else shares. */
  bytes: Uint8Array;
  /** The client's FIN was already told, to the reader: the next owner hears of it no more. */
  ended: boolean;
}

/** Reading came to an ending. */
export interface FirstBytesFailure {
  outcome: 'failed';
  reason:
    | 'invalid-proxy-header'
    | 'invalid-hello'
    | 'initial-data-too-large'
    | 'client-closed'
    | 'client-reset'
    | 'client-timed-out';
  /** What is wrong with the bytes: a fixed phrase, safe to log. */
  why: string | null;
  /** The transport's error, where there was one. */
  error: Error | null;
  /** Null where the failure came before it, or there was none. */
  proxyHeader: ProxyHeader | null;
  /** Whether the bytes began as TLS: then an alert is an answer that the client understands. */
  tls: boolean;
}
