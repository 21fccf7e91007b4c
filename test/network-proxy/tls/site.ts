/** SmartProxy with sites whose TLS ends there, and clients that speak TLS with it. */
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Clock } from '../../../src/base/clock.ts';
import type { Route, SmartProxyOptions } from '../../../src/config/schema.ts';
import type { Stage, StagedProxy } from '../../smart-proxy/stage.ts';
import { eventually } from '../../support/eventually.ts';

export interface Certificate {
  cert: string;
  key: string;
}

type Tls = NonNullable<Extract<Route['action'], { type: 'respond' }>['tls']>;

/** A site that answers every request with `<name> says hello`. */
export function site(name: string, settings: Tls, port = 0): Route {
  return {
    name,
    match: { ports: port, address: '127.0.0.1', domains: name },
    action: { type: 'respond', status: 200, body: `${name} says hello`, tls: settings },
  };
}

export async function serve(
  stage: Stage,
  routes: Route[],
  options: Omit<SmartProxyOptions, 'routes'> = {},
  clock?: Clock,
): Promise<StagedProxy> {
  return stage.proxy(routes, options, clock === undefined ? {} : { clock });
}

export type ClientOptions = tls.ConnectionOptions & { halfOpen?: boolean };

/** A client, with what it was told. */
export class TlsClient implements AsyncDisposable {
  readonly socket: tls.TLSSocket;
  /** What is on the wire. */
  readonly raw: net.Socket;
  received = '';
  /** The newest session. */
  session: Buffer | undefined;
  sessions = 0;
  error: NodeJS.ErrnoException | undefined;
  ended = false;
  closed = false;

  constructor(port: number, { halfOpen = false, ...options }: ClientOptions = {}, host = '127.0.0.1') {
    this.raw = net.connect({ port, host, noDelay: true, allowHalfOpen: halfOpen });
    this.socket = tls.connect({ socket: this.raw, rejectUnauthorized: false, ...options });
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      this.received += text;
    });
    this.socket.on('session', (session) => {
      this.session = session;
      this.sessions++;
    });
    this.socket.on('error', (error) => {
      this.error ??= error;
    });
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  /** The handshake is done, as far as the client can tell. */
  static async connect(port: number, options: ClientOptions = {}): Promise<TlsClient> {
    const client = new TlsClient(port, options);
    await once(client.socket, 'secureConnect');
    return client;
  }

  /** Waits for the connection to fail or end; tells how. */
  async failure(): Promise<string> {
    await eventually('the connection fails', () => this.closed || this.error !== undefined);
    return this.error?.code ?? 'ended';
  }

  /** One request on this connection, and its answer's status and body. */
  async get(host: string, path = '/'): Promise<{ status: number; body: string }> {
    const start = this.received.length;
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    let answer: RegExpExecArray | null = null;
    await eventually(
      () => `an answer comes (there is ${JSON.stringify(this.received)}, ${this.error?.message})`,
      () => {
        answer = /^HTTP\/1\.1 (\d+)[\s\S]*?content-length: (\d+)[\s\S]*?\r\n\r\n([\s\S]*)$/i.exec(
          this.received.slice(start),
        );
        return this.closed || (answer !== null && (answer[3] ?? '').length >= Number(answer[2]));
      },
    );
    if (answer === null) throw this.error ?? new Error('no answer');
    return { status: Number(answer[1]), body: answer[3] ?? '' };
  }

  /** Waits for a session to resume. In TLS 1.3 it comes after the handshake. */
  async resumable(): Promise<Buffer> {
    await eventually('the client has a session', () => this.session !== undefined);
    return this.session as Buffer;
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await eventually('the client is closed', () => this.closed);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The first flight of a real client. */
export async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const client = tls.connect({ socket: wire, ...options });
  client.on('error', () => {});
  await eventually('there is a hello', () => chunks.length > 0);
  client.destroy();
  return Buffer.concat(chunks);
}
