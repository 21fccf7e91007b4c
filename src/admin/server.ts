import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../base/clock.ts';
import { errorCode, errorMessage, SmartProxyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import {
  type AdminListen,
  formatAdminListen,
  isLocalOnly,
  parseAdminListen,
} from '../config/admin-listen.ts';
import { answer } from './api.ts';
import type { ControlPort } from './control-port.ts';
import { dashboardFile, isDashboardFile } from './dashboard-files.ts';
import { Guard } from './guard.ts';
import { LiveFeed } from './live/live-feed.ts';
import { failure, failureOf, type Reply } from './reply.ts';
import { listenPrivately, makePrivate, prepareSocketFile } from './socket-file.ts';
import { writeReply } from './write-reply.ts';

export interface AdminServerOptions {
  /** `host:port` (port 0: any free one) or `unix:/path`. */
  listen: string;
  /** What callers must send as a bearer token; null: nothing, which is only possible on this machine. */
  token: string | null;
  control: ControlPort;
  log: Logger;
  /** Default: the machine's. */
  clock?: Clock;
}

/** No call sends more than a few bytes. */
const maxBodyBytes = 65_536;
const maxUrlLength = 8_192;
const maxConnections = 128;
/** What `stop` waits for answers that are being written: the one to `drain` may be the reason for it. */
const lastAnswersMs = 1_000;

/** The admin API over HTTP. Its connections are no connections of the proxy, and are counted nowhere. */
export class AdminServer {
  readonly #listen: AdminListen;
  readonly #control: ControlPort;
  readonly #feed: LiveFeed;
  readonly #log: Logger;
  readonly #guard: Guard;
  readonly #server: http.Server;
  readonly #clock: Clock;
  /** Answers whose call was understood and that are not written yet. */
  readonly #answering = new Set<ServerResponse>();
  #lastAnswer: (() => void) | undefined;

  /** Throws `invalid-configuration` for a place that it cannot listen on, or one that needs a token. */
  constructor({ listen, token, control, log, clock = systemClock }: AdminServerOptions) {
    this.#clock = clock;
    this.#listen = readListen(listen, token);
    this.#control = control;
    this.#feed = new LiveFeed({ clock, source: control.live });
    this.#log = log;
    this.#guard = new Guard({ listenAddress: 'socket' in this.#listen ? null : this.#listen.address, token });
    this.#server = http.createServer(
      { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000 },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = maxConnections;
    this.#server.on('clientError', refuseUnreadable);
  }

  /** Rejects with `admin-in-use`, `port-taken` or `admin-listen-failed`; then nothing is open. */
  async start(): Promise<void> {
    if ('socket' in this.#listen) await prepareSocketFile(this.#listen.socket).catch(rethrow(this.#listen));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.once('listening', resolve);
    if ('socket' in this.#listen) listenPrivately(this.#server, this.#listen.socket);
    else this.#server.listen({ host: this.#listen.address, port: this.#listen.port });
    await promise.catch(rethrow(this.#listen));
    this.#server.off('error', reject);
    if ('socket' in this.#listen) makePrivate(this.#listen.socket);
    this.#server.on('error', (error) => this.#log.error('admin-failed', { message: error.message }));
  }

  /** `http://127.0.0.1:9901`, with the real port, or `unix:/path`; what the commands take as `--admin`. */
  get address(): string {
    const listen = this.#listen;
    if ('socket' in listen) return formatAdminListen(listen);
    const bound = this.#server.address() as AddressInfo | null;
    return `http://${formatAdminListen({ address: listen.address, port: bound?.port ?? listen.port })}`;
  }

  /** Closes at once, connections that are kept alive too; only an answer under way is written. Idempotent. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#feed.stop();
    if (this.#answering.size > 0) await this.#lastAnswers();
    this.#server.closeAllConnections();
    await promise;
  }

  #lastAnswers(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(lastAnswersMs, resolve);
      this.#lastAnswer = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #answered(response: ServerResponse): void {
    this.#answering.delete(response);
    if (this.#answering.size === 0) this.#lastAnswer?.();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A caller that leaves in the middle is no error of ours.
    request.on('error', () => {});
    response.on('error', () => {});
    response.on('close', () => this.#answered(response));
    const reply = await this.#reply(request, response).catch((error) => this.#failed(request, error));
    if (response.destroyed) return;
    if (!request.complete) response.shouldKeepAlive = false;
    // A stream has no end that a stop could wait for: it is told to end.
    if ('stream' in reply) this.#answered(response);
    await writeReply(response, reply).catch((error) => {
      // The head is out: all that can be said is that this is not the end.
      this.#failed(request, error);
      response.destroy();
    });
  }

  async #reply(request: IncomingMessage, response: ServerResponse): Promise<Reply> {
    const isPublic = isDashboardFile(request);
    const refusal = this.#guard.refusal(request, { isPublic });
    if (refusal !== null) return refusal;
    if (isPublic) return dashboardFile(request);
    const call = readCall(request);
    if (call === null) return failure(400, 'invalid-path', 'the path cannot be read');
    const unusable = await readBody(request);
    if (unusable !== null) return unusable;
    if (!response.destroyed) this.#answering.add(response);
    return answer(this.#control, call, this.#feed);
  }

  #failed(request: IncomingMessage, error: unknown): Reply {
    const reply = failureOf(error);
    // Unless it is the caller who left in the middle.
    if (reply.status === 500 && request.errored === null) {
      this.#log.error('admin-call-failed', { method: request.method, message: errorMessage(error) });
    }
    return reply;
  }
}

/** What Node cannot read: no HTTP, or a head beyond its limit. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () =>
    socket.destroy(),
  );
}

function readListen(text: string, token: string | null): AdminListen {
  const listen = parseAdminListen(text);
  if (listen === undefined) {
    throw new SmartProxyError(
      'invalid-configuration',
      `admin.listen: '${text}' is neither host:port nor unix:/path`,
      {
        source: 'config',
      },
    );
  }
  if (token === null && !isLocalOnly(listen)) {
    throw new SmartProxyError(
      'invalid-configuration',
      `admin.token: ${text} is not on this machine alone, so it needs a token`,
      {
        source: 'config',
      },
    );
  }
  return listen;
}

/** Says what was asked for, and keeps errors of ours as they are. */
function rethrow(listen: AdminListen): (error: unknown) => never {
  return (error) => {
    if (error instanceof SmartProxyError) throw error;
    const where = formatAdminListen(listen);
    const taken = errorCode(error) === 'EADDRINUSE';
    const why = taken ? 'another process has the port' : errorMessage(error);
    throw new SmartProxyError(
      taken ? 'port-taken' : 'admin-listen-failed',
      `the admin API cannot listen on ${where}: ${why}`,
      { source: 'proxy', retryable: taken, cause: error },
    );
  };
}

function readCall(
  request: IncomingMessage,
): { method: string; path: string[]; query: URLSearchParams } | null {
  const { method = '', url = '' } = request;
  if (url.length > maxUrlLength || !url.startsWith('/')) return null;
  const [path = '', query = ''] = url.split(/\?(.*)/s, 2);
  try {
    const segments = path.split('/').slice(1).map(decodeURIComponent);
    return { method, path: segments, query: new URLSearchParams(query) };
  } catch {
    return null;
  }
}

/** Reads the body, whose content no call needs, so that the connection can be used again. */
async function readBody(request: IncomingMessage): Promise<Reply | null> {
  let length = 0;
  const chunks: Buffer[] = [];
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length > maxBodyBytes)
      return failure(413, 'body-too-large', `a body has at most ${maxBodyBytes} bytes`);
    chunks.push(chunk as Buffer);
  }
  if (length === 0) return null;
  try {
    JSON.parse(Buffer.concat(chunks).toString('utf8'));
    return null;
  } catch {
    return failure(400, 'invalid-json', 'the body is no JSON');
  }
}
