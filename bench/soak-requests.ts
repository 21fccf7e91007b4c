/** HTTP clients of the soak: every answer is compared with what it has to be. */
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { open, type Place, witness } from './soak-conversation.ts';
import type { Outcome } from './soak-ledger.ts';
import { knownBytes, longestBytes, serverName } from './soak-protocol.ts';

/** One request with the body that has to come back. */
interface Plan {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: Buffer;
  /** With a length, or in chunks. */
  readonly sized: boolean;
  /** The client leaves after so many milliseconds, whatever has come. */
  readonly abortAfterMs: number | null;
}

const abortShare = 0.1;
const latestAbortMs = 25;

function plan(): Plan {
  const what = Math.random();
  const body = knownBytes(Math.floor(Math.random() ** 4 * longestBytes));
  const abortAfterMs = Math.random() < abortShare ? Math.random() * latestAbortMs : null;
  const common = { body, abortAfterMs, sized: Math.random() < 0.5 };
  if (what < 0.3) return { ...common, method: 'POST', path: '/echo' };
  return { ...common, method: 'GET', path: `/${what < 0.35 ? 'slow' : 'bytes'}/${body.length}` };
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** The whole of a body. Begun at once: a stream that has ended before somebody listens does not say so again. */
function whole(stream: Readable): Promise<Buffer> {
  const pieces: Buffer[] = [];
  return new Promise((resolve, reject) => {
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.once('end', () => resolve(Buffer.concat(pieces)));
    stream.once('error', reject).once('close', () => reject(new Error('the answer was cut')));
  });
}

/** The answer to a request, whole. Listens from the beginning, so nothing is missed. */
function answerTo<Head>(
  request: Writable,
  read: (head: Head) => { status: number; stream: Readable },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let begun = false;
    request.once('response', (head: Head) => {
      begun = true;
      const { status, stream } = read(head);
      whole(stream).then((body) => resolve({ status, body }), reject);
    });
    request.on('error', reject).once('close', () => begun || reject(new Error('no answer')));
  });
}

/** What is the same in both versions of HTTP. */
async function exchange(
  { method, body, abortAfterMs }: Plan,
  request: Writable,
  answer: Promise<Answer>,
  abort: () => void,
): Promise<Outcome> {
  let aborted = false;
  if (abortAfterMs !== null) {
    setTimeout(() => {
      aborted = !request.destroyed || !request.writableFinished;
      abort();
    }, abortAfterMs);
  }
  try {
    request.end(method === 'POST' ? body : undefined);
    const { status, body: received } = await answer;
    if (status !== 200) throw new Error(`answered ${status}`);
    if (!received.equals(body)) throw new Error(`${received.length} bytes instead of ${body.length}`);
    return 'done';
  } catch (error) {
    if (aborted) return 'aborted';
    throw error;
  }
}

/** One connection, kept from request to request while it can be. */
export class Http1Client {
  readonly #place: Place;
  readonly #agent: http.Agent;
  readonly #told = new WeakSet<Socket>();

  constructor(place: Place) {
    this.#place = place;
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = place.secure
      ? new https.Agent({ ...options, rejectUnauthorized: false, servername: serverName })
      : new http.Agent(options);
  }

  async request(): Promise<Outcome> {
    const planned = plan();
    const { method, path, sized, body } = planned;
    const { port, secure } = this.#place;
    const length = sized && method === 'POST' ? { 'Content-Length': body.length } : {};
    const request = (secure ? https : http).request({
      ...{ host: '127.0.0.1', port, method, path, agent: this.#agent },
      headers: { Host: serverName, ...length },
    });
    const answered = answerTo(request, (answer: http.IncomingMessage) => ({
      status: answer.statusCode ?? 0,
      stream: answer,
    }));
    answered.catch(() => undefined);
    await this.#connected(request);
    return exchange(planned, request, answered, () => request.destroy());
  }

  /** Nobody leaves before the connection is open, or it would be the proxy's alone to count. */
  async #connected(request: http.ClientRequest): Promise<void> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      request.once('socket', resolve).once('error', reject);
    });
    if (this.#told.has(socket)) return;
    this.#told.add(socket);
    if (!socket.connecting) return this.#place.connected();
    witness(socket, this.#place);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('close', () => reject(new Error('closed before it was open')));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

const streamsAtOnce = 6;
const mostRounds = 30;

/** One session with some requests at once, several times; then it is closed, or destroyed. */
export async function http2Session(
  place: Place,
  attempt: (action: () => Promise<Outcome>) => Promise<void>,
): Promise<Outcome> {
  const session = http2.connect(`https://${serverName}`, { createConnection: () => open(place, ['h2']) });
  let failure: Error | null = null;
  session.on('error', (error) => {
    failure = error;
  });
  const closed = new Promise<void>((resolve) => session.once('close', resolve));
  const rounds = Math.ceil(Math.random() * mostRounds);
  for (let round = 0; round < rounds && !session.closed && !session.destroyed; round++) {
    await Promise.all(Array.from({ length: streamsAtOnce }, () => attempt(() => http2Request(session))));
  }
  if (Math.random() < abortShare) session.destroy();
  else session.close();
  await closed;
  if (failure !== null) throw failure;
  return 'done';
}

async function http2Request(session: http2.ClientHttp2Session): Promise<Outcome> {
  const planned = plan();
  const { method, path, sized, body } = planned;
  const length = sized && method === 'POST' ? { 'content-length': body.length } : {};
  const stream = session.request({ ':method': method, ':path': path, ':authority': serverName, ...length });
  const answered = answerTo(
    stream,
    (headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader) => ({
      status: headers[':status'] ?? 0,
      stream,
    }),
  );
  answered.catch(() => undefined);
  return exchange(planned, stream, answered, () => stream.close(http2.constants.NGHTTP2_CANCEL));
}
