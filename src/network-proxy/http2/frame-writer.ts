import type { Composition, Transport } from '../../base/transport.ts';
import { copyBytes } from '../http1/bytes.ts';
import { PlainComposition } from '../http1/plain-composition.ts';
import { frameFlags, frameHeadBytes, frameTypes, maxFrameBytes } from './frames.ts';
import { putTableSizeOfNone } from './hpack/encoder.ts';

/** Writes frames to a connection. They are put together in its own memory, and go out with others of the same turn. */
export class FrameWriter {
  readonly #out: Composition;
  #table: 'unused' | 'to-be-given-up' | 'given-up' = 'unused';
  /** The connection had enough: what can wait should, until it has drained. */
  full = false;

  constructor(transport: Transport) {
    this.#out = transport.composition ?? new PlainComposition(transport);
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    const out = this.#begin(6 * values.length, frameTypes.settings, 0, 0);
    for (const [id, value] of values) {
      out.memory[out.end++] = id >>> 8;
      out.memory[out.end++] = id & 0xff;
      putUint32(out, value);
    }
    this.#commit();
  }

  settingsTaken(): void {
    this.#begin(0, frameTypes.settings, frameFlags.ack, 0);
    this.#commit();
  }

  pong(payload: Buffer): void {
    const out = this.#begin(payload.length, frameTypes.ping, frameFlags.ack, 0);
    out.end += payload.copy(out.memory, out.end);
    this.#commit();
  }

  goaway(lastStream: number, code: number): void {
    const out = this.#begin(8, frameTypes.goaway, 0, 0);
    putUint32(out, lastStream);
    putUint32(out, code);
    this.#commit();
  }

  reset(stream: number, code: number): void {
    putUint32(this.#begin(4, frameTypes.reset, 0, stream), code);
    this.#commit();
  }

  windowUpdate(stream: number, bytes: number): void {
    putUint32(this.#begin(4, frameTypes.windowUpdate, 0, stream), bytes);
    this.#commit();
  }

  /** No more than `maxFrameBytes`, from `start` to `end`. */
  data(stream: number, bytes: Buffer, start: number, end: number, ended: boolean): void {
    const length = end - start;
    const out = this.#begin(length, frameTypes.data, ended ? frameFlags.endStream : 0, stream);
    copyBytes(bytes, start, out.memory, out.end, length);
    out.end += length;
    this.#commit();
  }

  /** The client wants a smaller table than both have from the beginning: the next head must say that it is (RFC 7541 §4.2). */
  giveUpTable(): void {
    if (this.#table === 'unused') this.#table = 'to-be-given-up';
  }

  /** A head that `put` writes by HPACK. */
  head(stream: number, ended: boolean, put: (out: Composition) => void): void {
    const out = this.#out;
    const begun = out.length;
    out.reserve(frameHeadBytes);
    out.end += frameHeadBytes;
    if (this.#table === 'to-be-given-up') {
      this.#table = 'given-up';
      putTableSizeOfNone(out);
    }
    put(out);
    const length = out.length - begun - frameHeadBytes;
    if (length <= maxFrameBytes) {
      const flags = frameFlags.endHeaders | (ended ? frameFlags.endStream : 0);
      putFrameHead(out, out.end - length - frameHeadBytes, length, frameTypes.headers, flags, stream);
    } else this.#split(stream, ended, length);
    this.#commit();
  }

  /** The head that was just put is more than a frame: it goes on in CONTINUATION. */
  #split(stream: number, ended: boolean, length: number): void {
    const out = this.#out;
    const block = Buffer.from(out.memory.subarray(out.end - length, out.end));
    out.end -= length + frameHeadBytes;
    for (let at = 0; at < length; at += maxFrameBytes) {
      const part = block.subarray(at, at + maxFrameBytes);
      const type = at === 0 ? frameTypes.headers : frameTypes.continuation;
      const last = at + maxFrameBytes >= length ? frameFlags.endHeaders : 0;
      this.#begin(part.length, type, last | (at === 0 && ended ? frameFlags.endStream : 0), stream);
      out.end += part.copy(out.memory, out.end);
    }
  }

  #begin(length: number, type: number, flags: number, stream: number): Composition {
    const out = this.#out;
    out.reserve(frameHeadBytes + length);
    putFrameHead(out, out.end, length, type, flags, stream);
    out.end += frameHeadBytes;
    return out;
  }

  #commit(): void {
    if (!this.#out.commit()) this.full = true;
  }
}

function putFrameHead(
  { memory }: Composition,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  memory[at] = length >>> 16;
  memory[at + 1] = (length >>> 8) & 0xff;
  memory[at + 2] = length & 0xff;
  memory[at + 3] = type;
  memory[at + 4] = flags;
  putUint32At(memory, at + 5, stream);
}

function putUint32(out: Composition, value: number): void {
  putUint32At(out.memory, out.end, value);
  out.end += 4;
}

function putUint32At(memory: Buffer, at: number, value: number): void {
  memory[at] = value >>> 24;
  memory[at + 1] = (value >>> 16) & 0xff;
  memory[at + 2] = (value >>> 8) & 0xff;
  memory[at + 3] = value & 0xff;
}
