/** A TLS server as NetworkProxy will have them, reduced to its certificates. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { SmartProxyError } from '../../src/base/errors.ts';
import type {
  CertificateRule,
  CertificateSource,
  ContextAnswer,
} from '../../src/certificates/certificate-source.ts';
import { coveringPatterns } from '../../src/config/domain.ts';
import type { ResolvedTls } from '../../src/config/resolved.ts';
import type { Workspace } from '../support/workspace.ts';

export class TerminatingServer {
  readonly server: tls.Server;
  /** Why handshakes failed. */
  readonly failures: string[] = [];
  readonly #sockets = new Set<tls.TLSSocket>();
  /** Replaced by a reload. */
  source: CertificateSource;

  constructor(source: CertificateSource, rules: readonly CertificateRule[], options: tls.TlsOptions = {}) {
    this.source = source;
    this.server = tls.createServer({
      ...options,
      SNICallback: asking(() => this.source, rules, this.failures),
    });
    this.server.on('tlsClientError', (error) => this.failures.push(error.message));
    this.server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      socket.write(`authorized: ${socket.authorized}\n`);
      socket.pipe(socket);
    });
  }

  /** On 127.0.0.1, until the workspace ends. */
  async listen(workspace: Workspace): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    workspace.onEnd(() => this.close());
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** A server's SNICallback that asks a source. Node calls it only where the client gives a name. */
export function asking(
  source: () => CertificateSource,
  rules: readonly CertificateRule[],
  failures: string[] = [],
): NonNullable<tls.TlsOptions['SNICallback']> {
  return (name, callback) => {
    const tell = (answer: ContextAnswer): void => {
      if (!(answer instanceof SmartProxyError)) return callback(null, answer);
      failures.push(answer.code);
      callback(answer);
    };
    const settings = settingsFor(rules, name);
    if (settings === undefined) return callback(new Error('no route'));
    const answer = source().contextFor(settings, { name, localAddress: '127.0.0.1' });
    if (answer instanceof Promise) void answer.then(tell);
    else tell(answer);
  };
}

/** What routing finds: the settings of the most specific pattern. */
function settingsFor(rules: readonly CertificateRule[], name: string): ResolvedTls | undefined {
  for (const pattern of coveringPatterns(name.toLowerCase())) {
    const found = rules.find(({ domains }) => domains?.includes(pattern));
    if (found !== undefined) return found.tls;
  }
  return rules.find(({ domains }) => domains === null)?.tls;
}

/** A client that is connected, with what it has received so far. */
export class TlsClient {
  readonly socket: tls.TLSSocket;
  received = '';
  /** The newest session ticket. */
  session: Buffer | undefined;

  private constructor(socket: tls.TLSSocket) {
    this.socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.received += text;
    });
    socket.on('error', () => {});
    socket.on('session', (session) => {
      this.session = session;
    });
  }

  static async connect(port: number, options: tls.ConnectionOptions): Promise<TlsClient> {
    const socket = tls.connect({ host: '127.0.0.1', port, ...options });
    const client = new TlsClient(socket);
    try {
      await once(socket, 'secureConnect');
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return client;
  }

  /** The serial number of the certificate that the server showed. */
  get serialNumber(): string {
    return this.socket.getPeerX509Certificate()?.serialNumber ?? '';
  }

  async close(): Promise<void> {
    this.socket.destroy();
    if (!this.socket.closed) await once(this.socket, 'close');
  }
}
