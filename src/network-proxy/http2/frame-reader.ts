import type { Loan } from '../../base/transport.ts';
import { ownMemory } from '../../transport/portable-transport.ts';
import { clientPreface, frameFlags, frameHeadBytes, frameTypes, maxFrameBytes } from './frames.ts';
import { errorCodes } from './limits.ts';

/** A frame's payload is from `start` to `end`, and valid only within the call, or for longer by its loan. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly loan: Loan | undefined;
}

export interface FrameTaker {
  frame(frame: Frame): void;
  /** What came is no HTTP/2: nothing can be read any more. */
  broken(code: number, why: string): void;
}

/** One for all frames of a reader: each is shown only within a call. */
class ShownFrame implements Frame {
  type = 0;
  flags = 0;
  stream = 0;
  bytes = nothing;
  start = 0;
  end = 0;
  loan: Loan | undefined = undefined;
}

/**
 * Cuts what a client sends into its preface and frames. DATA that has not come as a whole is shown
 * in pieces, as if each were a frame: nothing waits, and nothing is copied.
 */
export class FrameReader {
  readonly #taker: FrameTaker;
  readonly #shown = new ShownFrame();
  #prefaceRead = 0;
  /** A frame of which only a part has come. */
  #begun: Buffer = nothing;
  #filled = 0;
  /** Of DATA that is shown in pieces: what is still to come, and what its head says. */
  #left = 0;
  #flags = 0;
  #stream = 0;
  #stopped = false;

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#stopped = true;
    this.#begun = nothing;
    this.#filled = 0;
  }

  read(bytes: Buffer, loan: Loan | undefined): void {
    if (this.#stopped) return;
    let at = this.#prefaceRead < clientPreface.length ? this.#readPreface(bytes) : 0;
    if (this.#filled > 0) at = this.#fill(bytes, at);
    while (!this.#stopped && at < bytes.length) {
      const next = this.#left > 0 ? this.#showPiece(bytes, at, loan) : this.#showNext(bytes, at, loan);
      if (next === at) return this.#begin(bytes, at);
      at = next;
    }
  }

  /** Shows the frame at `at`, or begins to. Returns how far it was read: not at all where too little has come. */
  #showNext(bytes: Buffer, at: number, loan: Loan | undefined): number {
    if (bytes.length - at < frameHeadBytes) return at;
    const length = lengthAt(bytes, at);
    if (length > maxFrameBytes) return this.#tooLarge(bytes);
    const end = at + frameHeadBytes + length;
    if (end > bytes.length) return this.#comesInPieces(bytes, at) ? at + frameHeadBytes : at;
    this.#show(bytes[at + 3]!, bytes[at + 4]!, uint31At(bytes, at + 5));
    this.#tell(bytes, at + frameHeadBytes, end, loan);
    return end;
  }

  #comesInPieces(head: Buffer, at: number): boolean {
    const flags = head[at + 4]!;
    if (head[at + 3] !== frameTypes.data || (flags & frameFlags.padded) !== 0) return false;
    this.#left = lengthAt(head, at);
    this.#flags = flags;
    this.#stream = uint31At(head, at + 5);
    return this.#left > 0;
  }

  /** END_STREAM is in the last piece. */
  #showPiece(bytes: Buffer, at: number, loan: Loan | undefined): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    const flags = this.#left > 0 ? this.#flags & ~frameFlags.endStream : this.#flags;
    this.#show(frameTypes.data, flags, this.#stream);
    this.#tell(bytes, at, end, loan);
    return end;
  }

  #readPreface(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && this.#prefaceRead < clientPreface.length) {
      if (bytes[at++] === clientPreface[this.#prefaceRead++]) continue;
      this.#taker.broken(errorCodes.protocol, 'the connection does not begin as HTTP/2 does');
      return bytes.length;
    }
    return at;
  }

  /** The rest of `bytes` is not a whole frame. */
  #begin(bytes: Buffer, at: number): void {
    const rest = bytes.length - at;
    const length = rest < frameHeadBytes ? frameHeadBytes : frameHeadBytes + lengthAt(bytes, at);
    this.#begun = Buffer.allocUnsafeSlow(length);
    bytes.copy(this.#begun, 0, at);
    this.#filled = rest;
  }

  /** Goes on with the frame that was begun. Returns how far `bytes` were needed. */
  #fill(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length) {
      const wanted = Math.min(this.#begun.length - this.#filled, bytes.length - at);
      bytes.copy(this.#begun, this.#filled, at, at + wanted);
      at += wanted;
      this.#filled += wanted;
      if (this.#filled < this.#begun.length) return at;
      const frame = this.#begun;
      const length = lengthAt(frame, 0);
      if (length > maxFrameBytes) return this.#tooLarge(bytes);
      const inPieces = this.#comesInPieces(frame, 0);
      if (!inPieces && frame.length < frameHeadBytes + length) {
        this.#begun = Buffer.allocUnsafeSlow(frameHeadBytes + length);
        frame.copy(this.#begun);
        continue;
      }
      this.#begun = nothing;
      this.#filled = 0;
      if (inPieces) return at;
      this.#show(frame[3]!, frame[4]!, uint31At(frame, 5));
      this.#tell(frame, frameHeadBytes, frame.length, ownMemory);
      return at;
    }
    return at;
  }

  #show(type: number, flags: number, stream: number): void {
    this.#shown.type = type;
    this.#shown.flags = flags;
    this.#shown.stream = stream;
  }

  #tell(bytes: Buffer, start: number, end: number, loan: Loan | undefined): void {
    const shown = this.#shown;
    shown.bytes = bytes;
    shown.start = start;
    shown.end = end;
    shown.loan = loan;
    this.#taker.frame(shown);
    shown.bytes = nothing;
    shown.loan = undefined;
  }

  #tooLarge(bytes: Buffer): number {
    this.#taker.broken(errorCodes.frameSize, 'a frame is too large');
    return bytes.length;
  }
}

const nothing: Buffer = Buffer.alloc(0);

function lengthAt(bytes: Buffer, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

/** Without the bit that is reserved. */
export function uint31At(bytes: Buffer, at: number): number {
  return uint32At(bytes, at) & 0x7fffffff;
}

export function uint32At(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
