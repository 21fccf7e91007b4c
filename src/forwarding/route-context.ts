import type { ResolvedRoute, RouteContext } from '../config/resolved.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';

/** What a user's function is told. The signal exists only if somebody asks for it. */
export class ConnectionContext implements RouteContext {
  readonly connectionId: string;
  readonly client: { ip: string; port: number };
  readonly localPort: number;
  readonly route: string;
  readonly tls: boolean;
  readonly serverName?: string;
  readonly alpn?: string;
  #controller: AbortController | null = null;
  #aborted = false;

  constructor(record: ConnectionRecord, route: ResolvedRoute) {
    this.connectionId = record.id;
    this.client = { ip: record.clientAddress.ip, port: record.clientAddress.port };
    this.localPort = record.localPort;
    this.route = route.name;
    this.tls = record.hello !== null;
    const serverName = record.hello?.serverName;
    if (typeof serverName === 'string') this.serverName = serverName;
    // Where TLS does not end here, all that is known is what the client likes best.
    const alpn = route.tls === null ? record.hello?.alpn[0] : record.alpn;
    if (typeof alpn === 'string') this.alpn = alpn;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  /** The connection ended. */
  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}
