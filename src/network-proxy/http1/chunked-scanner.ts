import { byteClass, cr, hexValue, lf, tokenByte, valueByte } from './bytes.ts';
import type { HeadLimits } from './head-limits.ts';
import { defaultFields } from './head-limits.ts';
import type { RefusalCode } from './refusals.ts';
import { TrailerScanner } from './trailer-scanner.ts';

const sizeStart = 0;
const inSize = 1;
const extensionNameStart = 2;
const inExtensionName = 3;
const extensionValueStart = 4;
const inExtensionToken = 5;
const inQuoted = 6;
const quotedPair = 7;
const afterQuoted = 8;
const sizeLineFeed = 9;
const inData = 10;
const dataCr = 11;
const dataLineFeed = 12;
const inTrailers = 13;
const ended = 14;

const semicolon = 0x3b;
const equals = 0x3d;
const quote = 0x22;
const backslash = 0x5c;

/** 2⁵² − 1 bytes: as many digits as a number holds exactly. Zeros in front count. */
const maxSizeDigits = 13;
/** Of one chunk. Nobody here understands an extension; long ones only make others work. */
const maxExtensionBytes = 1024;

/**
 * Follows a chunked body (RFC 9112 §7.1) that goes by in any pieces, and tells where it ends, with
 * its trailers. The bytes themselves are not touched and not kept. Strict: hexadecimal digits,
 * CRLF only, no white space, extensions that are `;name`, `;name=token` or `;name="text"`.
 */
export class ChunkedScanner {
  /** Content bytes so far, without sizes, extensions and trailers. */
  contentBytes = 0;
  /** Why the body is refused; null as long as it is sound. */
  refused: RefusalCode | null = null;
  readonly #trailers: TrailerScanner;
  #phase = sizeStart;
  #digits = 0;
  /** Bytes of the present chunk: its size while that is read, then what is still to come. */
  #left = 0;
  #extensionBytes = 0;

  constructor(limits: HeadLimits) {
    this.#trailers = new TrailerScanner(limits.headerBytes, limits.fields ?? defaultFields);
  }

  get ended(): boolean {
    return this.#phase === ended;
  }

  /** The next so many bytes are content; 0 where the next one is not, or is not known to be. */
  get contentAhead(): number {
    return this.#phase === inData ? this.#left : 0;
  }

  /** The last chunk has gone by: what follows are trailers and the empty line. */
  get inTrailers(): boolean {
    return this.#phase === inTrailers;
  }

  /** Begins a body. */
  start(): void {
    this.contentBytes = 0;
    this.refused = null;
    this.#phase = sizeStart;
    this.#trailers.start();
  }

  /**
   * Follows the body from `from` to `to`.
   *
   * @returns the position after the last byte that belongs to it: `to`, or where it ended or was refused
   */
  scan(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to && this.#phase !== ended) {
      if (this.#phase === inData) {
        const taken = Math.min(this.#left, to - at);
        this.#left -= taken;
        this.contentBytes += taken;
        at += taken;
        if (this.#left === 0) this.#phase = dataCr;
        continue;
      }
      this.refused = this.#step(bytes[at]!);
      if (this.refused !== null) return at;
      at++;
    }
    return at;
  }

  #step(byte: number): RefusalCode | null {
    switch (this.#phase) {
      case sizeStart:
        this.#left = 0;
        this.#digits = 0;
        this.#phase = inSize;
        return this.#stepSize(byte);
      case inSize:
        return this.#stepSize(byte);
      case sizeLineFeed:
        if (byte !== lf) return 'bare-cr';
        this.#phase = this.#left === 0 ? inTrailers : inData;
        return null;
      case dataCr:
        this.#phase = dataLineFeed;
        return byte === cr ? null : 'chunk-end';
      case dataLineFeed:
        this.#phase = sizeStart;
        return byte === lf ? null : 'bare-cr';
      case inTrailers:
        return this.#stepTrailers(byte);
      default:
        return this.#stepExtension(byte);
    }
  }

  #stepSize(byte: number): RefusalCode | null {
    const value = hexValue[byte]!;
    if (value < 16) {
      if (++this.#digits > maxSizeDigits) return 'chunk-too-large';
      this.#left = this.#left * 16 + value;
      return null;
    }
    if (this.#digits === 0) return 'chunk-size';
    this.#extensionBytes = 0;
    return this.#endElement(byte, 'chunk-size');
  }

  #stepTrailers(byte: number): RefusalCode | null {
    const told = this.#trailers.step(byte);
    if (told === 'done') this.#phase = ended;
    return told === 'done' || told === 'more' ? null : told;
  }

  #stepExtension(byte: number): RefusalCode | null {
    if (++this.#extensionBytes > maxExtensionBytes) return 'extension-too-long';
    const isToken = (byteClass[byte]! & tokenByte) !== 0;
    switch (this.#phase) {
      case extensionNameStart:
      case extensionValueStart:
        return this.#beginWord(byte, isToken);
      case inExtensionName:
        if (isToken) return null;
        if (byte !== equals) return this.#endElement(byte, 'chunk-extension');
        this.#phase = extensionValueStart;
        return null;
      case inExtensionToken:
        return isToken ? null : this.#endElement(byte, 'chunk-extension');
      case afterQuoted:
        return this.#endElement(byte, 'chunk-extension');
      default:
        return this.#stepQuoted(byte);
    }
  }

  #beginWord(byte: number, isToken: boolean): RefusalCode | null {
    const isValue = this.#phase === extensionValueStart;
    if (isToken) this.#phase = isValue ? inExtensionToken : inExtensionName;
    else if (isValue && byte === quote) this.#phase = inQuoted;
    else return byte === lf ? 'bare-lf' : 'chunk-extension';
    return null;
  }

  #stepQuoted(byte: number): RefusalCode | null {
    if ((byteClass[byte]! & valueByte) === 0) return byte === lf ? 'bare-lf' : 'chunk-extension';
    if (this.#phase === quotedPair) this.#phase = inQuoted;
    else if (byte === quote) this.#phase = afterQuoted;
    else if (byte === backslash) this.#phase = quotedPair;
    return null;
  }

  /** After a size, a name or a value comes another extension or the end of the line. */
  #endElement(byte: number, otherwise: RefusalCode): RefusalCode | null {
    if (byte === semicolon) this.#phase = extensionNameStart;
    else if (byte === cr) this.#phase = sizeLineFeed;
    else return byte === lf ? 'bare-lf' : otherwise;
    return null;
  }
}
