import type { Clock } from '../../base/clock.ts';
import { errorCode } from '../../base/errors.ts';
import type { Loan, Transport, TransportListener } from '../../base/transport.ts';
import { reasonOfFailure } from '../../connection/ending-policy.ts';
import type {
  BackendFailureCode,
  BackendListener,
  BackendStream,
  BodyForm,
  HttpRequest,
  RequestChanges,
  Trailers,
  TunnelEnd,
} from '../exchange.ts';
import { BodyReader } from './body-reader.ts';
import type { BodyTaker } from './body-taker.ts';
import { asBuffer } from './bytes.ts';
import { type Framing, noBody } from './framing.ts';
import { type AnsweredRequest, responseFraming, staysOpen } from './framing-rules.ts';
import type { ResponseHead } from './head.ts';
import type { HeadLimits } from './head-limits.ts';
import { Http1Response } from './messages.ts';
import { ReadAhead } from './read-ahead.ts';
import { RequestWriter } from './request-writer.ts';
import { ResponseParser } from './response-parser.ts';

/** Who holds a backend's connections between two exchanges. */
export interface BackendKeeper {
  /** The exchange is over, and the connection can carry another. */
  becameIdle(connection: BackendConnection): void;
  /** Once: it is closed, broken or given away, and must not be used any more. */
  becameUseless(connection: BackendConnection): void;
}

/** `idle`: with its keeper; `head`, `body`: of an answer; `useless`: closed, broken or given away. */
type Phase = 'idle' | 'head' | 'body' | 'tunnel' | 'useless';

/**
 * One connection to a backend: requests one after the other, never two at a time. It is always
 * read, so that a connection that the backend closes or speaks on while nobody has asked anything
 * is not used any more (H9).
 */
export class BackendConnection implements BackendStream, TransportListener, BodyTaker {
  readonly takesChunks = true;
  /** Whether somebody has it, and when it became idle: the keeper's to write. */
  busy = false;
  idleSince = 0;
  reused = false;
  heardAt = 0;
  readonly #clock: Clock;
  readonly #transport: Transport;
  readonly #keeper: BackendKeeper;
  readonly #parser: ResponseParser;
  readonly #writer: RequestWriter;
  readonly #body: BodyReader;
  readonly #response = new Http1Response();
  readonly #partial = new ReadAhead();
  #phase: Phase = 'idle';
  #listener: BackendListener | null = null;
  #request: AnsweredRequest = { method: '', upgrade: false };
  #staysOpen = false;
  #untilClose = false;
  /** Some byte of the present exchange's answer has come. */
  #answered = false;
  /** What came behind a 101. */
  #tunnelBytes = Buffer.alloc(0);

  /** Takes over an open transport. */
  constructor(transport: Transport, keeper: BackendKeeper, limits: HeadLimits, clock: Clock) {
    this.#clock = clock;
    this.#transport = transport;
    this.#keeper = keeper;
    this.#parser = new ResponseParser(limits);
    this.#writer = new RequestWriter(transport);
    this.#body = new BodyReader(limits);
    transport.setListener(this);
    transport.resume();
  }

  /** The next exchange's: everything is told to `listener` until it is over. */
  attach(listener: BackendListener): void {
    this.#listener = listener;
    this.#answered = false;
    this.#phase = 'head';
  }

  get pendingBytes(): number {
    return this.#transport.pendingBytes;
  }

  /** Nothing of an earlier answer is left, and nobody has ended it. */
  get usable(): boolean {
    return this.#phase === 'idle' && !this.#transport.closed && !this.#transport.readEnded;
  }

  open(request: HttpRequest, changes: RequestChanges, form: BodyForm): void {
    const upgrade = request.upgrade !== null && !request.hasBody;
    this.#request = { method: request.method === 'CONNECT' && upgrade ? 'GET' : request.method, upgrade };
    this.#writer.open(request, changes, form);
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    return this.#writer.write(bytes, loan);
  }

  end(trailers: Trailers): void {
    this.#writer.end(trailers);
  }

  pauseBody(): void {
    if (this.#phase === 'head' || this.#phase === 'body') this.#transport.pause();
  }

  resumeBody(): void {
    this.#transport.resume();
  }

  useForm(form: BodyForm): void {
    this.#body.useForm(form);
  }

  abort(): void {
    this.#listener = null;
    this.destroy();
  }

  /** Ends it by a reset, whatever it does. Idempotent; the listener hears nothing. */
  destroy(): void {
    if (this.#leave()) this.#transport.reset();
  }

  /** An idle connection ends by FIN: nothing is under way that could be cut. */
  retire(): void {
    if (this.#leave()) this.#transport.destroy();
  }

  tunnel(): TunnelEnd {
    this.#listener = null;
    const end = { transport: this.#transport, firstBytes: this.#tunnelBytes };
    this.#phase = 'useless';
    this.#transport.setListener(null);
    this.#keeper.becameUseless(this);
    return end;
  }

  onData(bytes: Uint8Array, loan?: Loan): void {
    if (this.#phase === 'idle') return this.destroy();
    this.heardAt = this.#clock.now();
    this.#answered = true;
    if (this.#partial.length === 0) {
      const used = this.#consume(asBuffer(bytes), loan);
      if (used < bytes.length) this.#partial.append(bytes.subarray(used));
    } else {
      this.#partial.append(bytes);
      this.#partial.used(this.#consume(this.#partial.view(), undefined));
    }
  }

  #consume(bytes: Buffer, loan: Loan | undefined): number {
    const end = bytes.length;
    let at = 0;
    while (at < end) {
      const next = this.#step(bytes, at, end, loan);
      if (next === at) break;
      at = next;
    }
    return at;
  }

  #step(bytes: Buffer, at: number, end: number, loan: Loan | undefined): number {
    if (this.#phase === 'head') return this.#readHead(bytes, at, end);
    if (this.#phase === 'tunnel') return at;
    if (this.#phase !== 'body') return end;
    const used = this.#body.read(bytes, at, end, this, loan);
    if (this.#body.refused !== null) this.#fail('invalid-response', new Error(this.#body.refused));
    else if (this.#body.ended && this.#phase === 'body') this.#bodyEnded(used < end);
    return used;
  }

  #readHead(bytes: Buffer, at: number, end: number): number {
    const head = this.#parser.parse(bytes, at, end);
    if (head === null) return at;
    if (head.kind === 'invalid') {
      this.#fail('invalid-response', new Error(head.why));
      return end;
    }
    const next = at + head.length;
    const framing = responseFraming(head, this.#request);
    if (framing.kind === 'invalid') {
      this.#fail('invalid-response', new Error(framing.why));
      return end;
    }
    this.#response.begin(head, framing);
    if (framing.kind === 'tunnel') {
      this.#phase = 'tunnel';
      this.#tunnelBytes = Buffer.from(bytes.subarray(next, end));
      this.#listener?.onResponse(this.#response);
      return end;
    }
    this.#takeHead(head, framing, next < end);
    return next;
  }

  #takeHead(head: ResponseHead, framing: Framing, more: boolean): void {
    const listener = this.#listener as BackendListener;
    const response = this.#response;
    if (head.status < 200) return listener.onInterim(response);
    this.#phase = 'body';
    this.#staysOpen = staysOpen(head, framing);
    this.#untilClose = framing.kind === 'until-close';
    this.#body.start(framing);
    const ended = framing.kind === 'none';
    listener.onResponse(response);
    if (ended && this.#phase === 'body') this.#bodyEnded(more);
  }

  /** @internal Bytes of the answer's body. */
  onBody(bytes: Uint8Array, loan?: Loan): void {
    this.#listener?.onResponseBody(bytes, loan);
  }

  /** `excess`: the backend goes on to speak although nobody asked: its next answer would be a guess. */
  #bodyEnded(excess: boolean): void {
    const listener = this.#listener as BackendListener;
    const trailers = this.#body.trailers;
    this.#listener = null;
    this.#body.start(noBody);
    if (this.#staysOpen && this.#writer.done && !excess && !this.#transport.readEnded) this.#becomeIdle();
    else if (this.#writer.done) this.retire();
    else this.destroy();
    listener.onResponseEnd(trailers);
  }

  /** Before `onEnd` is told: the exchange's end may bring the next request, which finds it here. */
  #becomeIdle(): void {
    this.#phase = 'idle';
    this.reused = true;
    this.#transport.resume();
    this.#keeper.becameIdle(this);
  }

  onEnd(): void {
    this.heardAt = this.#clock.now();
    if (this.#phase === 'body' && this.#untilClose) return this.#bodyEnded(false);
    if (this.#phase === 'idle') return this.retire();
    this.#fail(
      'target-closed',
      new Error('the backend closed the connection before its answer was complete'),
    );
  }

  onDrain(): void {
    this.#listener?.onBackendDrain();
  }

  onFinish(): void {}

  onError(error: Error): void {
    this.#fail(codeOf(error), error);
  }

  onClose(): void {
    this.#fail('target-reset', new Error('the connection was closed'));
  }

  #fail(code: BackendFailureCode, error: Error): void {
    const listener = this.#listener;
    const answered = this.#answered;
    this.#listener = null;
    this.destroy();
    listener?.onBackendFailed({ code, error, answered, unprocessed: false });
  }

  /** False where it was left already. */
  #leave(): boolean {
    if (this.#phase === 'useless') return false;
    this.#phase = 'useless';
    this.#partial.clear();
    this.#transport.setListener(null);
    this.#keeper.becameUseless(this);
    return true;
  }
}

function codeOf(error: Error): BackendFailureCode {
  const code = errorCode(error);
  if (code === 'handler-ended' || code === 'handler-failed') return code;
  const reason = reasonOfFailure('target', error);
  return reason === 'resource-exhausted' || reason === 'target-timed-out' ? reason : 'target-reset';
}
