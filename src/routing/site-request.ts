/** What is known of a request when its route is chosen. */
export interface SiteRequest {
  /** As `requestName` gives it; null where the request has none. */
  readonly host: string | null;
  /** As the client sent it, without the query; `*` where it asks for no path. */
  readonly path: string;
  readonly method: string;
  /** A field's value by its name in lower case. */
  field(name: string): string | undefined;
  /** Normalised. */
  readonly clientIp: string;
  /** What the client offered in its handshake. */
  readonly alpn?: readonly string[];
}
