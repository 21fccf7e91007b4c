import type { Composition, Loan } from '../../base/transport.ts';
import { ownMemory } from '../../transport/portable-transport.ts';
import { copyOf } from '../../transport/write-staging.ts';
import type { HeadChanges, HttpResponse, LocalAnswer, Trailers } from '../exchange.ts';
import { asBuffer } from '../http1/bytes.ts';
import { nothingChanged, putAnswer, putOwn, putTrailers } from './answer-heads.ts';
import { maxFrameBytes, mostWindowBytes } from './frames.ts';
import type { Sender, SendFlow } from './send-flow.ts';

/** Who answers. Nothing is told within a call of the writer's but `answerOut`. */
export interface AnswerOwner {
  /** What had been pending is taken. */
  answerDrained(): void;
  /** END_STREAM is out. */
  answerOut(): void;
}

/** Something that waits: a head, which no window is needed for, or content. */
type Piece = { readonly put: (out: Composition) => void } | { bytes: Buffer };

/** Writes the answer of one stream, as far as windows and the connection let it; the rest waits here. */
export class AnswerWriter implements Sender {
  /** Of the answer so far, heads included as they are before they are compressed. */
  bytes = 0;
  /** Bytes of content that wait, for want of a window or of the connection. */
  pendingBytes = 0;
  /** The answer's head was written: no interim one can follow. */
  begun = false;
  /** END_STREAM is out. */
  ended = false;
  readonly #stream: number;
  readonly #flow: SendFlow;
  readonly #owner: AnswerOwner;
  readonly #isHead: boolean;
  #window: number;
  /** Bytes of the body that are still to come, where the head says so. */
  #bodyLeft = -1;
  #waiting: Piece[] = [];
  /** END_STREAM goes with the last piece. */
  #ending = false;
  #awaitsDrain = false;
  #stopped = false;

  constructor(stream: number, flow: SendFlow, owner: AnswerOwner, isHead: boolean) {
    this.#stream = stream;
    this.#flow = flow;
    this.#owner = owner;
    this.#isHead = isHead;
    this.#window = flow.initialWindow;
  }

  /** The stream is over: what waits is dropped. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.pendingBytes = 0;
    this.#flow.leave(this);
  }

  inform(response: HttpResponse): void {
    if (!this.begun) this.#head(false, (out) => putAnswer(out, response, nothingChanged));
  }

  respond(response: HttpResponse, changes: HeadChanges): void {
    const { body, status, http1 } = response;
    this.begun = true;
    // By HTTP/2 trailers may follow also where the length is known.
    this.#bodyLeft = body === 'length' && http1 !== null ? response.contentLength : -1;
    const ended = (body === 'none' || this.#isHead) && status !== 101;
    this.#head(ended, (out) => putAnswer(out, response, changes));
  }

  /** A whole answer of our own. */
  answer({ status, fields, body }: LocalAnswer): void {
    this.begun = true;
    const sized = status >= 200 && status !== 204 && status !== 304;
    const shown = sized && !this.#isHead && body.length > 0;
    const own = sized ? [...fields, ['content-length', String(body.length)] as const] : fields;
    this.#head(!shown, (out) => putOwn(out, status, own));
    if (shown) this.#content(body, ownMemory, true);
  }

  /** False where the writer should wait. */
  write(bytes: Uint8Array, loan?: Loan): boolean {
    if (this.#ending || this.#stopped || bytes.length === 0) return !this.#awaitsDrain;
    const last = this.#bodyLeft === bytes.length;
    if (this.#bodyLeft > 0) this.#bodyLeft -= bytes.length;
    this.#content(bytes, loan, last);
    if (this.#waiting.length === 0 && !this.#flow.frames.full) return true;
    this.#awaitsDrain = true;
    this.#flow.wait(this);
    return false;
  }

  end(trailers: Trailers): void {
    if (this.#ending || this.#stopped) return;
    if (trailers !== null && trailers.length > 0) this.#head(true, (out) => putTrailers(out, trailers));
    else this.#content(noBytes, ownMemory, true);
  }

  // ── what is written at once ──────────────────────────────────────────────────────────────────

  #head(ended: boolean, put: (out: Composition) => number): void {
    if (this.#stopped || this.#ending) return;
    if (ended) this.#ending = true;
    if (this.#mustWait) return this.#holdHead(put);
    this.#flow.frames.head(this.#stream, ended, (out) => {
      this.bytes += put(out);
    });
    if (ended) this.#endedNow();
  }

  /** Put together now, as the fields may be gone later. */
  #holdHead(put: (out: Composition) => number): void {
    const held = new HeldHead();
    this.bytes += put(held);
    this.#waiting.push({ put: (out) => held.putTo(out) });
    this.#flow.wait(this);
  }

  get #mustWait(): boolean {
    return this.#waiting.length > 0 || this.#flow.frames.full;
  }

  #content(bytes: Uint8Array, loan: Loan | undefined, last: boolean): void {
    this.bytes += bytes.length;
    if (last) this.#ending = true;
    const whole = asBuffer(bytes);
    const sent = this.#mustWait ? 0 : this.#sendSome(whole);
    if (sent < bytes.length || (last && !this.ended)) this.#hold(whole.subarray(sent), loan);
  }

  /** As much as goes at once. Returns how much that was. */
  #sendSome(bytes: Buffer): number {
    let at = 0;
    do {
      const room = Math.min(this.#window, this.#flow.window, maxFrameBytes);
      const end = Math.min(bytes.length, at + Math.max(0, room));
      if (end === at && bytes.length > 0) return at;
      this.#sendFrame(bytes, at, end, this.#ending && end === bytes.length);
      at = end;
    } while (at < bytes.length && !this.#flow.frames.full);
    return at;
  }

  #sendFrame(bytes: Buffer, start: number, end: number, last: boolean): void {
    this.#window -= end - start;
    this.#flow.window -= end - start;
    this.#flow.frames.data(this.#stream, bytes, start, end, last);
    if (last) this.#endedNow();
  }

  #endedNow(): void {
    this.ended = true;
    this.#owner.answerOut();
  }

  #hold(bytes: Buffer, loan: Loan | undefined): void {
    this.pendingBytes += bytes.length;
    this.#waiting.push({ bytes: loan === ownMemory ? bytes : copyOf(bytes) });
    if (this.#window > 0 || bytes.length === 0 || this.#flow.frames.full) this.#flow.wait(this);
  }

  // ── what has waited ──────────────────────────────────────────────────────────────────────────

  /** The client takes so much more, or less; `pump` sends it. False: that is more than a window may be. */
  opened(bytes: number): boolean {
    this.#window += bytes;
    if (this.#waiting.length > 0) this.#flow.wait(this);
    return this.#window <= mostWindowBytes;
  }

  sendPiece(): 'more' | 'wants-window' | 'done' {
    const [piece] = this.#waiting;
    if (piece !== undefined) {
      if ('put' in piece) this.#sendHead(piece.put);
      else {
        const outcome = this.#sendContent(piece);
        if (outcome !== null) return outcome;
      }
      if (this.#waiting.length > 0) return 'more';
    }
    if (this.#awaitsDrain && !this.#stopped && !this.#flow.frames.full) {
      this.#awaitsDrain = false;
      this.#owner.answerDrained();
    } else if (this.#awaitsDrain && !this.#stopped) this.#flow.wait(this);
    return 'done';
  }

  #sendHead(put: (out: Composition) => void): void {
    this.#waiting.shift();
    const last = this.#ending && this.#waiting.length === 0;
    this.#flow.frames.head(this.#stream, last, put);
    if (last) this.#endedNow();
  }

  /** Null: the piece is gone. */
  #sendContent(piece: { bytes: Buffer }): 'more' | 'wants-window' | 'done' | null {
    const { bytes } = piece;
    const room = Math.min(this.#window, this.#flow.window);
    // A window that the client closed later may be below 0.
    if (bytes.length > 0 && room <= 0) return this.#window > 0 ? 'wants-window' : 'done';
    const end = Math.min(bytes.length, Math.max(room, 0), maxFrameBytes);
    this.pendingBytes -= end;
    const gone = end === bytes.length;
    if (gone) this.#waiting.shift();
    else piece.bytes = bytes.subarray(end);
    this.#sendFrame(bytes, 0, end, gone && this.#ending && this.#waiting.length === 0);
    return gone ? null : 'more';
  }
}

const noBytes = Buffer.alloc(0);

/** Memory for a head that cannot go out yet. */
class HeldHead implements Composition {
  memory = Buffer.allocUnsafe(256);
  end = 0;

  get length(): number {
    return this.end;
  }

  reserve(length: number): void {
    if (this.end + length <= this.memory.length) return;
    const memory = Buffer.allocUnsafe(2 * (this.end + length));
    this.memory.copy(memory, 0, 0, this.end);
    this.memory = memory;
  }

  commit(): boolean {
    return false;
  }

  putTo(out: Composition): void {
    out.reserve(this.end);
    out.end += this.memory.copy(out.memory, out.end, 0, this.end);
  }
}
