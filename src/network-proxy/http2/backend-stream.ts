import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Loan } from '../../base/transport.ts';
import { ownMemory } from '../../transport/portable-transport.ts';
import { copyOf } from '../../transport/write-staging.ts';
import type {
  BackendFailure,
  BackendListener,
  BackendStream,
  BodyForm,
  Field,
  HttpRequest,
  RequestChanges,
  Trailers,
  TunnelEnd,
} from '../exchange.ts';
import type { BackendSessionPort } from './backend-session-port.ts';
import { endStreamCame, watchForEndStream } from './end-stream.ts';
import { requestFields, trailerFields } from './fields.ts';
import { endStreamFlag, errorCodes } from './limits.ts';
import { resetStream } from './reset-stream.ts';
import { Http2Response, upgradedResponse } from './response.ts';
import { StreamTransport } from './stream-transport.ts';

const streamOf = Symbol('stream');
type OwnedStream = ClientHttp2Stream & { [streamOf]?: Http2BackendStream };

/** One request on a session to a backend. It holds its place there until it is over, also before it was opened. */
export class Http2BackendStream implements BackendStream {
  readonly takesChunks = false;
  readonly reused: boolean;
  readonly #session: BackendSessionPort;
  #listener: BackendListener | null;
  #stream: ClientHttp2Stream | null = null;
  #trailers: Trailers = null;
  #receivedTrailers: Field[] | null = null;
  #answered = false;
  /** Body bytes that the answer's head has promised and that have not come; −1: it did not say. */
  #missing = -1;
  /** An extended CONNECT: to what, and the key of a client of HTTP/1.1. */
  #upgrade: { protocol: string; key: string | undefined } | null = null;
  #isHead = false;
  #left = false;
  /** The answer's body may be shown. */
  #paused = false;

  constructor(session: BackendSessionPort, listener: BackendListener, reused: boolean) {
    this.#session = session;
    this.#listener = listener;
    this.reused = reused;
  }

  get pendingBytes(): number {
    return this.#stream?.writableLength ?? 0;
  }

  open(request: HttpRequest, changes: RequestChanges): void {
    const { upgrades, scheme } = this.#session;
    const tunnels = upgrades && request.upgrade !== null && !request.hasBody;
    const fields = requestFields(request, changes, { scheme, upgrades: tunnels });
    this.#isHead = request.method === 'HEAD';
    if (tunnels) this.#upgrade = { protocol: request.upgrade!, key: request.field('sec-websocket-key') };
    const waitForTrailers = request.hasBody && request.contentLength < 0;
    try {
      const stream = this.#session.request(fields, {
        endStream: !request.hasBody && !tunnels,
        waitForTrailers,
      });
      this.#stream = stream;
      this.#listen(stream, waitForTrailers);
    } catch (error) {
      // Node takes a field for malformed that HTTP/1 had let through.
      this.#session.later(() => this.#fail({ ...certainlyUnprocessed, error: error as Error }));
    }
  }

  #listen(stream: ClientHttp2Stream, waitsForTrailers: boolean): void {
    (stream as OwnedStream)[streamOf] = this;
    watchForEndStream(stream);
    stream.on('response', onResponse);
    stream.on('headers', onHeaders);
    stream.on('trailers', onTrailers);
    stream.on('end', onEnd);
    stream.on('error', onError);
    stream.on('close', onClose);
    if (waitsForTrailers) stream.on('wantTrailers', onWantTrailers);
  }

  // ── the request ──────────────────────────────────────────────────────────────────────────────

  write(bytes: Uint8Array, loan?: Loan): boolean {
    const stream = this.#stream;
    if (stream === null || stream.writableEnded || stream.destroyed) return true;
    if (stream.write(loan === ownMemory ? bytes : copyOf(bytes))) return true;
    if (stream.listenerCount('drain') === 0) stream.once('drain', onDrain);
    return false;
  }

  end(trailers: Trailers): void {
    this.#trailers = trailers;
    if (this.#stream?.writableEnded === false) this.#stream.end();
  }

  /** @internal */
  sendTrailers(): void {
    try {
      this.#stream?.sendTrailers(trailerFields(this.#trailers));
    } catch {
      if (this.#stream !== null) resetStream(this.#stream, errorCodes.internal);
    }
  }

  /** @internal */
  drained(): void {
    this.#listener?.onBackendDrain();
  }

  get heardAt(): number {
    return this.#session.heardAt;
  }

  // ── the answer ───────────────────────────────────────────────────────────────────────────────

  useForm(_form: BodyForm): void {}

  pauseBody(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  resumeBody(): void {
    this.#paused = false;
    if (this.#answered) this.#stream?.resume();
  }

  /** @internal 1xx. */
  informed(raw: readonly string[]): void {
    this.#session.heard();
    this.#listener?.onInterim(new Http2Response(raw, true));
  }

  /** @internal */
  responded(status: number, flags: number, raw: readonly string[]): void {
    this.#session.heard();
    const listener = this.#listener;
    if (listener === null || this.#stream === null) return;
    this.#answered = true;
    const ended = (flags & endStreamFlag) !== 0;
    if (this.#upgrade !== null && status >= 200 && status < 300 && !ended)
      return this.#upgraded(raw, listener);
    const response = new Http2Response(raw, ended || this.#isHead || status === 204 || status === 304);
    this.#missing = response.body === 'length' ? response.contentLength : -1;
    listener.onResponse(response);
    if (ended) this.receivedAll();
    this.#stream.on('data', onData);
    if (this.#paused) this.#stream.pause();
  }

  #upgraded(raw: readonly string[], listener: BackendListener): void {
    const { protocol, key } = this.#upgrade!;
    listener.onResponse(upgradedResponse(raw, protocol, key));
  }

  /** @internal */
  received(bytes: Buffer): void {
    this.#session.heard();
    if (this.#missing > 0) this.#missing -= bytes.length;
    this.#listener?.onResponseBody(bytes, ownMemory);
  }

  /** @internal */
  receivedTrailers(raw: readonly string[]): void {
    const fields: Field[] = [];
    for (let i = 0; i < raw.length; i += 2) fields.push([raw[i]!, raw[i + 1]!]);
    this.#receivedTrailers = fields;
  }

  /** @internal END_STREAM; or the end of a stream that was cut, which 'close' tells. */
  receivedAll(): void {
    const stream = this.#stream as ClientHttp2Stream;
    // It was told already, or a tunnel has the stream.
    if (this.#listener === null) return;
    this.#session.heard();
    if (!endStreamCame(stream) || stream.rstCode !== errorCodes.none || this.#missing > 0) {
      // After a reset without an error Node waits for what is still to be written, for ever.
      if (stream.closed) stream.destroy();
      return;
    }
    const listener = this.#listener;
    this.#listener = null;
    this.#leave();
    listener?.onResponseEnd(this.#receivedTrailers);
    // An answer that came before the request was complete: the rest is for nobody.
    if (!stream.writableEnded) stream.close(errorCodes.none);
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  abort(): void {
    this.#listener = null;
    if (this.#stream === null) return this.#leave();
    if (!this.#stream.closed) this.#session.gaveUp();
    resetStream(this.#stream, errorCodes.cancel);
  }

  tunnel(): TunnelEnd {
    this.#listener = null;
    const stream = this.#stream as ClientHttp2Stream;
    const { resources, peer, local } = this.#session;
    return { transport: new StreamTransport(stream, resources, peer, local), firstBytes: noBytes };
  }

  /** @internal */
  closed(): void {
    const stream = this.#stream as ClientHttp2Stream;
    this.#leave();
    if (this.#listener === null) return;
    this.#fail(this.#session.failureOf(stream.id, stream.rstCode, this.#answered));
  }

  #fail(failure: BackendFailure): void {
    const listener = this.#listener;
    this.#listener = null;
    this.#leave();
    listener?.onBackendFailed(failure);
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#session.streamOver();
  }
}

const noBytes = new Uint8Array(0);

const certainlyUnprocessed = { code: 'internal-error', answered: false, unprocessed: true } as const;

function onResponse(this: OwnedStream, fields: IncomingHttpHeaders, flags: number, raw?: unknown): void {
  this[streamOf]?.responded(Number(fields[':status']), flags, raw as string[]);
}

function onHeaders(this: OwnedStream, _fields: unknown, _flags: number, raw?: unknown): void {
  this[streamOf]?.informed(raw as string[]);
}

function onTrailers(this: OwnedStream, _fields: unknown, _flags: number, raw?: unknown): void {
  this[streamOf]?.receivedTrailers(raw as string[]);
}

function onData(this: OwnedStream, bytes: Buffer): void {
  this[streamOf]?.received(bytes);
}

function onEnd(this: OwnedStream): void {
  this[streamOf]?.receivedAll();
}

function onDrain(this: OwnedStream): void {
  this[streamOf]?.drained();
}

function onWantTrailers(this: OwnedStream): void {
  this[streamOf]?.sendTrailers();
}

/** 'close' follows, and tells it. */
function onError(): void {}

function onClose(this: OwnedStream): void {
  this[streamOf]?.closed();
}
