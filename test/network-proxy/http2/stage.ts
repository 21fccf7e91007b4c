import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import type { ResolvedRoute, Timeouts } from '../../../src/config/resolved.ts';
import type { ConnectionRecord } from '../../../src/connection/connection-record.ts';
import { poolCreator } from '../../../src/network-proxy/http2/create-pool.ts';
import { Http2Server } from '../../../src/network-proxy/http2/http2-server.ts';
import type { SecureClient } from '../../../src/network-proxy/pool/connecting.ts';
import { createDial } from '../../../src/transport/dial.ts';
import { createDns } from '../../../src/transport/dns.ts';
import { type SocketBackedTransport, TransportFactory } from '../../../src/transport/transport-factory.ts';
import { eventually } from '../../support/eventually.ts';
import { Core, type CoreOptions } from '../stage.ts';

export type Http2StageOptions = Omit<CoreOptions, 'createPool' | 'secure'> & {
  route: ResolvedRoute;
  clock?: Clock;
  secure?: (transports: TransportFactory) => SecureClient;
};

/** HTTP/1 and HTTP/2 in clear text, each on a port of its own, with one forwarder behind both. */
export class Http2Stage {
  readonly core: Core;
  readonly http2: Http2Server;
  readonly #dns: ReturnType<typeof createDns>;
  readonly #servers: net.Server[] = [];
  readonly #timeouts: Timeouts;
  readonly #headerBytes: number;
  readonly records: ConnectionRecord[] = [];

  private constructor(options: Http2StageOptions) {
    const clock = options.clock ?? systemClock;
    const transports = new TransportFactory({ clock, relayBufferBytes: 1 << 26 });
    const { connectSocket, resources } = transports;
    this.#dns = createDns({ clock });
    this.#timeouts = options.route.timeouts;
    this.#headerBytes = options.headerBytes ?? 65_536;
    const { secure, ...rest } = options;
    this.core = new Core(clock, createDial({ clock, dns: this.#dns, connectSocket }), {
      ...rest,
      ...(secure !== undefined && { secure: secure(transports) }),
      createPool: (services) => poolCreator({ ...services, resources }),
    });
    const { manager, deadlines } = this.core;
    this.http2 = new Http2Server({ clock, manager, deadlines });
    this.#servers.push(transports.createServer((transport) => this.#serveHttp2(transport)));
    this.#servers.push(
      transports.createServer((transport) => void this.core.accept(transport, this.#timeouts)),
    );
  }

  static async open(options: Http2StageOptions): Promise<Http2Stage> {
    const stage = new Http2Stage(options);
    for (const server of stage.#servers) await once(server.listen(0, '127.0.0.1'), 'listening');
    return stage;
  }

  #serveHttp2(transport: SocketBackedTransport): void {
    const { manager } = this.core;
    const record = manager.createConnection(transport, { localPort: 80, timeouts: this.#timeouts });
    this.records.push(record);
    manager.transition(record, 'routing');
    manager.transition(record, 'handed-over');
    this.http2.serve(record, transport, {
      tls: false,
      firstBytes: noBytes,
      limits: { headerBytes: this.#headerBytes },
      onRequest: this.core.forwarder.take,
      onRefused: this.core.forwarder.refused,
    });
  }

  /** Where HTTP/2 is spoken with prior knowledge. */
  get port(): number {
    return portOf(this.#servers[0]!);
  }

  get http1Port(): number {
    return portOf(this.#servers[1]!);
  }

  /** How the connections ended, in the order in which they came. */
  get reasons(): (string | undefined)[] {
    return this.records.map((record) => record.termination?.reason);
  }

  async reason(place = 0): Promise<string> {
    await eventually(`connection ${place} ends`, () => this.records[place]?.state === 'closed');
    return this.records[place]!.termination!.reason;
  }

  connect(options: http2.ClientSessionOptions = {}): Client {
    return new Client(http2.connect(`http://127.0.0.1:${this.port}`, options));
  }

  /** Proves that every connection has ended and nothing is left, and closes. */
  async close(): Promise<void> {
    const { manager } = this.core;
    await eventually(
      () => `every connection ends; ${JSON.stringify(manager.live().map((r) => [r.state, r.trail]))}`,
      () => manager.size === 0,
    );
    await eventually('no request is under way', () => this.core.inFlight === 0);
    assert.equal(this.http2.size, 0, 'sessions');
    await eventually(
      () => `no stream is under way; ${JSON.stringify(this.core.pools.statistics)}`,
      () => this.core.pools.statistics.every(({ busy }) => busy === 0),
    );
    this.core.assertNothingLeft();
    this.core.pools.close();
    this.core.deadlines.clear();
    this.core.timeouts.stop();
    this.#dns.close();
    for (const server of this.#servers) await new Promise((resolve) => server.close(resolve));
  }
}

const noBytes = new Uint8Array(0);

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

export interface Answer {
  status: number;
  headers: http2.IncomingHttpHeaders;
  body: string;
  trailers: http2.IncomingHttpHeaders;
  interim: http2.IncomingHttpHeaders[];
}

/** A client's session. */
export class Client {
  readonly session: http2.ClientHttp2Session;
  error: Error | null = null;
  goaway: number | null = null;
  closed = false;

  constructor(session: http2.ClientHttp2Session) {
    this.session = session;
    session.on('error', (error) => {
      this.error = error;
    });
    session.on('goaway', (code) => {
      this.goaway = code;
    });
    session.on('close', () => {
      this.closed = true;
    });
  }

  /** One request to its end. Rejects with the stream's error. */
  async request(
    headers: http2.OutgoingHttpHeaders = {},
    body: string | Buffer | null = null,
    trailers: http2.OutgoingHttpHeaders | null = null,
  ): Promise<Answer> {
    const stream = this.session.request(
      { ':authority': 'a.test', ...headers },
      { endStream: body === null, waitForTrailers: trailers !== null },
    );
    if (trailers !== null) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    if (body !== null) stream.end(body);
    return answerOf(stream);
  }

  async close(): Promise<void> {
    this.session.close();
    await eventually('the client is closed', () => this.closed);
  }

  destroy(): void {
    this.session.destroy();
  }
}

export async function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  const answer: Answer = { status: 0, headers: {}, body: '', trailers: {}, interim: [] };
  const parts: Buffer[] = [];
  stream.on('headers', (headers) => answer.interim.push(headers));
  stream.on('response', (headers) => {
    answer.headers = headers;
    answer.status = Number(headers[':status']);
  });
  stream.on('trailers', (headers) => {
    answer.trailers = headers;
  });
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  await new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('close', () =>
      stream.rstCode === 0 ? resolve() : reject(new Error(`reset with ${stream.rstCode}`)),
    );
  });
  answer.body = Buffer.concat(parts).toString('latin1');
  return answer;
}

/** A backend of HTTP/1.1 or HTTP/2 that Node implements. */
export class Backend<Server extends net.Server> {
  readonly server: Server;
  readonly sockets = new Set<net.Socket>();
  readonly sessions = new Set<http2.ServerHttp2Session>();
  /** Sessions or connections that there were. */
  opened = 0;

  constructor(server: Server) {
    this.server = server;
    server.on('connection', (socket: net.Socket) => {
      this.opened++;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
    });
    server.on('session', (session: http2.ServerHttp2Session) => {
      this.sessions.add(session);
      session.on('error', () => {});
      session.on('close', () => this.sessions.delete(session));
    });
  }

  static http1(answer: http.RequestListener): Promise<Backend<http.Server>> {
    return new Backend(http.createServer(answer)).listen();
  }

  static http2(
    onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
    options: http2.ServerOptions = {},
  ): Promise<Backend<http2.Http2Server>> {
    const server = http2.createServer(options);
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      onStream(stream, headers);
    });
    return new Backend(server).listen();
  }

  async listen(port = 0): Promise<this> {
    await once(this.server.listen(port, '127.0.0.1'), 'listening');
    return this;
  }

  get port(): number {
    return portOf(this.server);
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

/** TLS with backends whose certificates nobody looks at. */
export function anySecure(protocols: readonly string[] | ((protocol: string) => readonly string[])) {
  return (transports: TransportFactory): SecureClient =>
    (transport, spec, handlers) => {
      const offer = typeof protocols === 'function' ? protocols(spec.protocol) : protocols;
      const below = transport as SocketBackedTransport;
      const socket = tls.connect({
        socket: below.handOver(noBytes) as net.Socket,
        rejectUnauthorized: false,
        ALPNProtocols: [...offer],
      });
      socket.once('secureConnect', () =>
        handlers.onSecured(transports.wrapStream(socket), socket.alpnProtocol || null),
      );
      socket.on('error', (error) => handlers.onFailed(error));
      return { abort: () => void socket.destroy() };
    };
}

/** A client of HTTP/1.1 on one connection. */
export async function getByHttp1(
  port: number,
  options: http.RequestOptions = {},
  body: string | null = null,
): Promise<{
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
  trailers: NodeJS.Dict<string>;
}> {
  const request = http.request({ port, host: '127.0.0.1', agent: false, ...options });
  request.end(body ?? undefined);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('latin1')) text += chunk;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: text,
    trailers: response.trailers,
  };
}

/** A client that writes frames by hand. */
export class FrameClient {
  readonly socket: net.Socket;
  readonly #read: Buffer[] = [];
  closed = false;
  ended = false;

  /** @param first what is sent in place of the preface and SETTINGS */
  constructor(port: number, first: string | null = null) {
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (bytes) => this.#read.push(bytes));
    this.socket.on('error', () => {});
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.write(first ?? 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
    if (first === null) this.send(frame(4, 0, 0));
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** Every frame that has come. */
  get frames(): { type: number; flags: number; stream: number; payload: Buffer }[] {
    const bytes = Buffer.concat(this.#read);
    const frames = [];
    for (let at = 0; at + 9 <= bytes.length; ) {
      const length = bytes.readUIntBE(at, 3);
      if (at + 9 + length > bytes.length) break;
      frames.push({
        type: bytes[at + 3]!,
        flags: bytes[at + 4]!,
        stream: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(at + 9, at + 9 + length),
      });
      at += 9 + length;
    }
    return frames;
  }

  /** The codes of GOAWAY frames. */
  get goaways(): number[] {
    return this.frames.filter(({ type }) => type === 7).map(({ payload }) => payload.readUInt32BE(4));
  }

  /** The codes of RST_STREAM frames by stream. */
  get resets(): Map<number, number> {
    const resets = this.frames.filter(({ type }) => type === 3);
    return new Map(resets.map(({ stream, payload }) => [stream, payload.readUInt32BE(0)]));
  }
}

/** A backend that reads frames and answers by hand. */
export class FrameServer {
  readonly #server: net.Server;
  readonly peers: FramePeer[] = [];

  private constructor(onConnection: (peer: FramePeer, number: number) => void) {
    this.#server = net.createServer({ noDelay: true }, (socket) => {
      const peer = new FramePeer(socket);
      this.peers.push(peer);
      onConnection(peer, this.peers.length);
    });
  }

  static async open(onConnection: (peer: FramePeer, number: number) => void): Promise<FrameServer> {
    const server = new FrameServer(onConnection);
    await once(server.#server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  get port(): number {
    return portOf(this.#server);
  }

  async close(): Promise<void> {
    for (const { socket } of this.peers) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const prefaceBytes = 24;

/** One connection of a FrameServer. It answers SETTINGS, and PING where it is told to. */
export class FramePeer {
  readonly socket: net.Socket;
  onRequest: (stream: number) => void = () => {};
  requests = 0;
  pings = 0;
  resets = 0;
  /** Frames with END_STREAM. */
  ends = 0;
  readonly #bodies = new Map<number, Buffer[]>();
  #read = Buffer.alloc(0);
  #inFrames = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (bytes) => this.#take(bytes));
    this.send(frame(4, 0, 0));
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** 200 with a body. */
  answer(stream: number, body: string): void {
    this.send(frame(1, 4, stream, Buffer.from([0x88])), frame(0, 1, stream, Buffer.from(body)));
  }

  bodyOf(stream: number): string {
    return Buffer.concat(this.#bodies.get(stream) ?? []).toString('latin1');
  }

  #take(bytes: Buffer): void {
    this.#read = Buffer.concat([this.#read, bytes]);
    if (!this.#inFrames) {
      if (this.#read.length < prefaceBytes) return;
      this.#inFrames = true;
      this.#read = this.#read.subarray(prefaceBytes);
    }
    while (this.#read.length >= 9) {
      const length = this.#read.readUIntBE(0, 3);
      if (this.#read.length < 9 + length) return;
      const [type, flags, stream] = [this.#read[3]!, this.#read[4]!, this.#read.readUInt32BE(5)];
      const payload = this.#read.subarray(9, 9 + length);
      this.#read = this.#read.subarray(9 + length);
      this.#frame(type, flags, stream, payload);
    }
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === 4 && (flags & 1) === 0) this.send(frame(4, 1, 0));
    if (type === 6 && (flags & 1) === 0) this.pings++;
    if (type === 0) this.#bodies.set(stream, [...(this.#bodies.get(stream) ?? []), payload]);
    if (type === 1) this.requests++;
    if (type === 3) this.resets++;
    if ((type !== 0 && type !== 1) || (flags & 1) === 0) return;
    this.ends++;
    this.onRequest(stream);
  }
}

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer<ArrayBuffer> {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A head in HPACK's plainest form: every field in full. */
export function plainHead(fields: readonly (readonly [string, string])[]): Buffer<ArrayBuffer> {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0]),
      ...[name, value].map((text) =>
        Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]),
      ),
    ]),
  );
}

export const getRequest = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'a.test'],
  [':path', '/'],
] as const;
