import type { Loan } from '../../base/transport.ts';
import { asBuffer } from '../http1/bytes.ts';
import { type Frame, FrameReader, type FrameTaker, uint31At, uint32At } from './frame-reader.ts';
import { frameFlags, frameTypes, maxFrameBytes, mostWindowBytes, settingIds } from './frames.ts';
import { type FieldLimits, HpackDecoder } from './hpack/decoder.ts';
import { errorCodes } from './limits.ts';

/** What a client tells, frame by frame. */
export interface PeerListener {
  /** A request's head, or trailers. Null: it is larger than anything that is answered. */
  onHead(stream: number, raw: readonly string[] | null, ended: boolean): void;
  /** `frameBytes` counts for the windows: there may be padding beside what is shown. */
  onBody(stream: number, bytes: Buffer, loan: Loan | undefined, frameBytes: number, ended: boolean): void;
  onReset(stream: number, code: number): void;
  /** Stream 0: the connection's window. */
  onWindow(stream: number, bytes: number): void;
  /** The window that streams begin with. */
  onInitialWindow(bytes: number): void;
  /** What our heads may refer back to. */
  onTableSize(bytes: number): void;
  onSettings(): void;
  onPing(payload: Buffer): void;
  onGoaway(code: number): void;
  /** A frame that carries nothing. */
  onIdleFrame(): void;
  /** A rule of the stream is broken: nobody else is concerned. */
  onStreamError(stream: number, code: number): void;
  /** Frames that nothing good can come of. */
  onFlood(why: string): void;
  /** The connection is lost (RFC 9113 §5.4.1). */
  onBroken(code: number, why: string): void;
}

/** A head that goes on in CONTINUATION. */
interface OpenHead {
  readonly stream: number;
  readonly ended: boolean;
  readonly parts: Buffer[];
}

/** As nghttp2 and others have it: a head of more than 128 KiB is nothing that anybody means. */
const mostContinuations = 8;

/** Reads what frames say, and holds them to the rules that concern the connection (RFC 9113 §6). */
export class PeerFrames implements FrameTaker {
  readonly #listener: PeerListener;
  readonly #reader = new FrameReader(this);
  readonly #decoder: HpackDecoder;
  #greeted = false;
  #openHead: OpenHead | null = null;

  constructor(listener: PeerListener, limits: FieldLimits) {
    this.#listener = listener;
    this.#decoder = new HpackDecoder(limits);
  }

  read(bytes: Uint8Array, loan: Loan | undefined): void {
    this.#reader.read(asBuffer(bytes), loan);
  }

  stop(): void {
    this.#reader.stop();
  }

  broken(code: number, why: string): void {
    this.#reader.stop();
    this.#listener.onBroken(code, why);
  }

  frame(frame: Frame): void {
    const { type } = frame;
    if (!this.#greeted) {
      if (type !== frameTypes.settings) return this.broken(errorCodes.protocol, 'SETTINGS do not come first');
      this.#greeted = true;
    }
    const continues = type === frameTypes.continuation;
    if (continues !== (this.#openHead !== null)) {
      return this.broken(errorCodes.protocol, 'a head is interrupted, or goes on without having begun');
    }
    this.#read(frame);
  }

  #read(frame: Frame): void {
    switch (frame.type) {
      case frameTypes.data:
        return this.#data(frame);
      case frameTypes.headers:
        return this.#headers(frame);
      case frameTypes.continuation:
        return this.#continuation(frame);
      case frameTypes.reset:
        return this.#reset(frame);
      case frameTypes.windowUpdate:
        return this.#windowUpdate(frame);
      case frameTypes.priority:
        return this.#priority(frame);
      case frameTypes.pushPromise:
        return this.broken(errorCodes.protocol, 'a client cannot push');
      case frameTypes.settings:
      case frameTypes.ping:
      case frameTypes.goaway:
        return this.#ofConnection(frame);
      default:
      // Extensions are ignored (§5.5).
    }
  }

  // ── streams ──────────────────────────────────────────────────────────────────────────────────

  #data(frame: Frame): void {
    const { stream, flags, bytes, loan } = frame;
    if (stream === 0) return this.#onWrongStream();
    const ended = (flags & frameFlags.endStream) !== 0;
    const [start, end] = this.#unpadded(frame, 0);
    if (start < 0) return;
    if (frame.start === frame.end && !ended) this.#listener.onIdleFrame();
    this.#listener.onBody(stream, bytes.subarray(start, end), loan, frame.end - frame.start, ended);
  }

  #headers(frame: Frame): void {
    const { stream, flags, bytes } = frame;
    if (stream === 0) return this.#onWrongStream();
    const skipped = (flags & frameFlags.priority) !== 0 ? priorityBytes : 0;
    const [start, end] = this.#unpadded(frame, skipped);
    if (start < 0) return;
    const ended = (flags & frameFlags.endStream) !== 0;
    if ((flags & frameFlags.endHeaders) !== 0) return this.#decode(stream, ended, bytes, start, end);
    this.#openHead = { stream, ended, parts: [Buffer.from(bytes.subarray(start, end))] };
  }

  #continuation(frame: Frame): void {
    const { stream, flags, bytes, start, end } = frame;
    const head = this.#openHead as OpenHead;
    if (stream !== head.stream) return this.#onWrongStream();
    if (head.parts.length > mostContinuations) {
      this.#reader.stop();
      return this.#listener.onFlood('a head goes on without end');
    }
    head.parts.push(Buffer.from(bytes.subarray(start, end)));
    if ((flags & frameFlags.endHeaders) === 0) return;
    this.#openHead = null;
    const whole = Buffer.concat(head.parts);
    this.#decode(stream, head.ended, whole, 0, whole.length);
  }

  #decode(stream: number, ended: boolean, bytes: Buffer, start: number, end: number): void {
    const raw = this.#decoder.decode(bytes, start, end);
    if (raw === null) return this.broken(errorCodes.compression, 'a head cannot be decompressed');
    this.#listener.onHead(stream, this.#decoder.exceeded ? null : raw, ended);
  }

  /** What is between the padding and, where there are any, `skipped` bytes at the front. Broken: −1. */
  #unpadded(frame: Frame, skipped: number): readonly [start: number, end: number] {
    const padded = (frame.flags & frameFlags.padded) !== 0;
    const padding = padded && frame.start < frame.end ? frame.bytes[frame.start]! : 0;
    const start = frame.start + (padded ? 1 : 0) + skipped;
    const end = frame.end - padding;
    if (start <= end) return [start, end];
    this.broken(errorCodes.protocol, 'a frame has less than it says');
    return [-1, -1];
  }

  #reset({ stream, bytes, start, end }: Frame): void {
    if (stream === 0) return this.#onWrongStream();
    if (end - start !== 4) return this.#onWrongSize();
    this.#listener.onReset(stream, uint32At(bytes, start));
  }

  #windowUpdate({ stream, bytes, start, end }: Frame): void {
    if (end - start !== 4) return this.#onWrongSize();
    const increment = uint31At(bytes, start);
    if (increment > 0) return this.#listener.onWindow(stream, increment);
    if (stream === 0) this.broken(errorCodes.protocol, 'a window is opened by nothing');
    else this.#listener.onStreamError(stream, errorCodes.protocol);
  }

  #priority({ stream, start, end }: Frame): void {
    if (stream === 0) return this.#onWrongStream();
    if (end - start !== priorityBytes) return this.#onWrongSize();
    this.#listener.onIdleFrame();
  }

  // ── the connection ───────────────────────────────────────────────────────────────────────────

  #ofConnection(frame: Frame): void {
    if (frame.stream !== 0) return this.#onWrongStream();
    if (frame.type === frameTypes.settings) this.#settings(frame);
    else if (frame.type === frameTypes.ping) this.#ping(frame);
    else this.#goaway(frame);
  }

  #settings({ flags, bytes, start, end }: Frame): void {
    const isAck = (flags & frameFlags.ack) !== 0;
    if (isAck ? start !== end : (end - start) % settingBytes !== 0) return this.#onWrongSize();
    this.#listener.onIdleFrame();
    if (isAck) return;
    let initialWindow = -1;
    for (let at = start; at < end; at += settingBytes) {
      const id = (bytes[at]! << 8) | bytes[at + 1]!;
      const value = uint32At(bytes, at + 2);
      const wrong = wrongSetting(id, value);
      if (wrong !== null) return this.broken(wrong, `SETTINGS have ${value} for ${id}`);
      if (id === settingIds.headerTableSize) this.#listener.onTableSize(value);
      if (id === settingIds.initialWindowSize) initialWindow = value;
    }
    // Each change concerns every stream: of many in one frame only the last one counts.
    if (initialWindow >= 0) this.#listener.onInitialWindow(initialWindow);
    this.#listener.onSettings();
  }

  #ping({ flags, bytes, start, end }: Frame): void {
    if (end - start !== pingBytes) return this.#onWrongSize();
    this.#listener.onIdleFrame();
    if ((flags & frameFlags.ack) === 0) this.#listener.onPing(bytes.subarray(start, end));
  }

  #goaway({ bytes, start, end }: Frame): void {
    if (end - start < 8) return this.#onWrongSize();
    this.#listener.onGoaway(uint32At(bytes, start + 4));
  }

  #onWrongStream(): void {
    this.broken(errorCodes.protocol, 'a frame is on a stream where it cannot be');
  }

  #onWrongSize(): void {
    this.broken(errorCodes.frameSize, 'a frame is of the wrong size');
  }
}

const priorityBytes = 5;
const settingBytes = 6;
const pingBytes = 8;

/** The error of a value that is not allowed (§6.5.2); null: it is. */
function wrongSetting(id: number, value: number): number | null {
  if (id === settingIds.initialWindowSize) return value > mostWindowBytes ? errorCodes.flowControl : null;
  if (id === settingIds.enablePush || id === settingIds.enableConnectProtocol) {
    return value > 1 ? errorCodes.protocol : null;
  }
  if (id === settingIds.maxFrameSize) {
    return value < maxFrameBytes || value > 0xffffff ? errorCodes.protocol : null;
  }
  return null;
}
