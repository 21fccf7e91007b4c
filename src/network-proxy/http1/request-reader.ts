import type { Loan, Transport } from '../../base/transport.ts';
import type { BodyForm, Trailers } from '../exchange.ts';
import { BodyReader } from './body-reader.ts';
import type { BodyTaker } from './body-taker.ts';
import { asBuffer } from './bytes.ts';
import type { RequestHead } from './head.ts';
import type { HeadLimits } from './head-limits.ts';
import { ReadAhead } from './read-ahead.ts';
import type { Refusal } from './refusals.ts';
import { RequestParser } from './request-parser.ts';

/** What a connection's bytes turn out to be. */
export interface RequestTaker extends BodyTaker {
  /** The first byte of a head came, but not the whole head. */
  headBegan(): void;
  /** A request. Its body is paused until `resumeBody`. */
  headRead(head: RequestHead): void;
  bodyRead(trailers: Trailers): void;
  /** Nothing after this is read any more. */
  headRefused(refusal: Refusal): void;
  bodyRefused(code: string): void;
}

/** `head`: of the next request; `body`: of the present one; `held`: until `next`; `over`: all is dropped. */
type Mode = 'head' | 'body' | 'held' | 'over';

/**
 * Takes a client's bytes apart into requests, one at a time. What cannot be used yet waits here,
 * bounded by pausing the transport.
 */
export class RequestReader {
  readonly #transport: Transport;
  readonly #taker: RequestTaker;
  readonly #limits: HeadLimits;
  /** Null until something comes: many connections are opened early, and it is a fifth of what one holds here. */
  #parser: RequestParser | null = null;
  readonly #body: BodyReader;
  readonly #maxWaiting: number;
  readonly #waiting = new ReadAhead();
  #mode: Mode = 'head';
  #headBegan = false;
  #bodyPaused = true;
  /** The loop is at work: what comes next is seen by it. */
  #working = false;
  /** While it is: bytes that are there, behind those that were used. */
  #ahead = 0;
  /** Where in the connection's bytes the present request began. */
  #startedAt = 0;

  constructor(transport: Transport, limits: HeadLimits, taker: RequestTaker) {
    this.#transport = transport;
    this.#taker = taker;
    this.#limits = limits;
    this.#body = new BodyReader(limits);
    this.#maxWaiting = limits.headerBytes;
  }

  /** The present request was read to its end. */
  get complete(): boolean {
    return this.#mode !== 'body';
  }

  /** The present request was read, and `next` was not called since. */
  get held(): boolean {
    return this.#mode === 'held';
  }

  /** Nothing of a next request has come. */
  get idle(): boolean {
    return this.#mode === 'head' && !this.#headBegan;
  }

  /** The request that is being read, or was last, is a HEAD: also where its head is not sound. */
  get asksHead(): boolean {
    return this.#parser?.method === 'HEAD';
  }

  /** Nothing waits that a request could be read from. */
  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Bytes of the present request that were used; where HTTP is over, all that came since it began. */
  get bytes(): number {
    return this.#transport.bytesRead - this.#unused - this.#startedAt;
  }

  get #unused(): number {
    return this.#working ? this.#ahead : this.#waiting.length;
  }

  /** Keeps bytes that were read before, as a copy. */
  prepend(bytes: Uint8Array): void {
    this.#waiting.append(bytes);
  }

  read(bytes: Uint8Array, loan: Loan | undefined): void {
    if (!this.empty) {
      this.#keep(bytes);
      return this.goOn();
    }
    const used = this.#work(asBuffer(bytes), loan);
    if (used < bytes.length) this.#keep(bytes.subarray(used));
  }

  /** Uses what waits, as far as it can be used now. */
  goOn(): void {
    if (this.#working || this.empty) return;
    const used = this.#work(this.#waiting.view(), undefined);
    if (used > 0) this.#waiting.used(used);
  }

  /** The next head may be read; `goOn` is the caller's to call. */
  next(): void {
    if (this.#mode === 'over') return;
    this.#mode = 'head';
    this.#headBegan = false;
  }

  /** No body comes while it is paused; `goOn` is the caller's to call. */
  resumeBody(form: BodyForm): void {
    this.#body.useForm(form);
    this.#bodyPaused = false;
  }

  pauseBody(): void {
    this.#bodyPaused = true;
  }

  /** Gives up what waits: HTTP is over. */
  take(): Buffer {
    const rest = this.#waiting.take();
    this.stop();
    return rest;
  }

  stop(): void {
    this.#mode = 'over';
    this.#waiting.clear();
  }

  /** Goes through bytes as far as they can be used now, and returns how many that were. */
  #work(bytes: Buffer, loan: Loan | undefined): number {
    const end = bytes.length;
    let at = 0;
    this.#working = true;
    while (at < end) {
      const next = this.#step(bytes, at, end, loan);
      if (next === at) break;
      at = next;
    }
    this.#working = false;
    return at;
  }

  #step(bytes: Buffer, at: number, end: number, loan: Loan | undefined): number {
    switch (this.#mode) {
      case 'head':
        return this.#readHead(bytes, at, end);
      case 'body':
        return this.#bodyPaused ? at : this.#readBody(bytes, at, end, loan);
      case 'held':
        return at;
      default:
        return end;
    }
  }

  #readHead(bytes: Buffer, at: number, end: number): number {
    this.#parser ??= new RequestParser(this.#limits);
    const parser = this.#parser;
    const head = parser.parse(bytes, at, end);
    if (head === null) {
      if (!this.#headBegan && parser.inHead) {
        this.#headBegan = true;
        this.#taker.headBegan();
      }
      return at;
    }
    if (head.kind === 'invalid') {
      this.#taker.headRefused(head);
      return end;
    }
    this.#ahead = end - at - head.length;
    this.#startedAt = this.#transport.bytesRead - (end - at);
    this.#body.start(head.framing);
    this.#bodyPaused = true;
    this.#mode = this.#body.ended ? 'held' : 'body';
    this.#taker.headRead(head);
    return at + head.length;
  }

  #readBody(bytes: Buffer, at: number, end: number, loan: Loan | undefined): number {
    const used = this.#body.read(bytes, at, end, this.#taker, loan);
    if (this.#mode !== 'body') return end;
    this.#ahead = end - used;
    if (this.#body.refused !== null) {
      this.#bodyPaused = true;
      this.#taker.bodyRefused(this.#body.refused);
      return end;
    }
    if (this.#body.ended) {
      this.#mode = 'held';
      this.#taker.bodyRead(this.#body.trailers);
    }
    return used;
  }

  #keep(rest: Uint8Array): void {
    if (this.#mode === 'over') return;
    this.#waiting.append(rest);
    // A head is bounded by its parser, and must go on to be read.
    if (this.#mode === 'body' || this.#waiting.length >= this.#maxWaiting) this.#transport.pause();
  }
}
