import { byteClass, colon, cr, lf, skipWhile, space, tab, tokenByte, valueByte } from './bytes.ts';
import type { FieldTable } from './field-table.ts';
import { fieldIdOf } from './known-fields.ts';
import type { RefusalCode } from './refusals.ts';

/** Where in a line the next byte is. */
const lineStart = 0;
const inName = 1;
const beforeValue = 2;
const inValue = 3;
const valueLineFeed = 4;
const lastLineFeed = 5;

/** More bytes are needed; the section is complete, with the position after it in `at`; or it is refused. */
export type FieldScan = 'more' | 'done' | RefusalCode;

/**
 * Reads a field section (RFC 9112 §5) up to and with its empty line. It goes on where it stopped,
 * so that each byte is looked at once however it arrives. Positions are kept relative to the
 * beginning of the head: the bytes may be moved between two calls.
 */
export class FieldScanner {
  /** Offset of the next byte from the beginning of the head. */
  at = 0;
  readonly #table: FieldTable;
  readonly #maxFields: number;
  #phase = lineStart;
  #nameStart = 0;
  #nameEnd = 0;
  #valueStart = 0;

  /** @param maxFields one more is `too-many-fields` */
  constructor(table: FieldTable, maxFields: number) {
    this.#table = table;
    this.#maxFields = maxFields;
  }

  /** Begins a section `at` bytes after the beginning of its head. */
  start(at: number): void {
    this.at = at;
    this.#phase = lineStart;
    this.#table.clear();
  }

  /**
   * @param base where the head begins in `bytes`
   * @param end the position after the last byte that may be read
   */
  scan(bytes: Uint8Array, base: number, end: number): FieldScan {
    while (base + this.at < end) {
      if (this.#phase === lineStart) {
        this.#readWholeLines(bytes, base, end);
        if (base + this.at === end) break;
        const refused = this.#beginLine(bytes[base + this.at]!);
        if (refused !== null) return refused;
      }
      const told =
        this.#phase === lastLineFeed ? this.#endSection(bytes, base, end) : this.#scanLine(bytes, base, end);
      if (told !== 'more' || this.#phase !== lineStart) return told;
    }
    return 'more';
  }

  /**
   * The usual case: lines that are there to their ends and have nothing wrong. Stops before the
   * first that is not like that, for whoever looks at each byte by the phase that it is in.
   */
  #readWholeLines(bytes: Uint8Array, base: number, end: number): void {
    const table = this.#table;
    while (table.count < this.#maxFields) {
      const nameStart = base + this.at;
      const nameEnd = skipWhile(bytes, nameStart, end, tokenByte);
      if (nameEnd === nameStart || nameEnd === end || bytes[nameEnd] !== colon) return;
      let valueStart = nameEnd + 1;
      while (valueStart < end && isBlank(bytes[valueStart]!)) valueStart++;
      const at = skipWhile(bytes, valueStart, end, valueByte);
      if (at + 1 >= end || bytes[at] !== cr || bytes[at + 1] !== lf) return;
      this.#add(bytes, base, nameStart - base, nameEnd - base, valueStart - base, at - base);
      this.at = at + 2 - base;
    }
  }

  #add(
    bytes: Uint8Array,
    base: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    lineEnd: number,
  ): void {
    let valueEnd = lineEnd;
    while (valueEnd > valueStart && isBlank(bytes[base + valueEnd - 1]!)) valueEnd--;
    const id = fieldIdOf(bytes, base + nameStart, base + nameEnd);
    this.#table.add(id, nameStart, nameEnd, valueStart, valueEnd);
  }

  #beginLine(byte: number): RefusalCode | null {
    if (byte === cr) {
      this.#phase = lastLineFeed;
      this.at++;
      return null;
    }
    if (byte === space || byte === tab) return 'folded-line';
    this.#phase = inName;
    this.#nameStart = this.at;
    return null;
  }

  #endSection(bytes: Uint8Array, base: number, end: number): FieldScan {
    if (base + this.at === end) return 'more';
    if (bytes[base + this.at] !== lf) return 'bare-cr';
    this.at++;
    return 'done';
  }

  /** Reads the present line as far as it is there. Afterwards the phase is `lineStart` where it was complete. */
  #scanLine(bytes: Uint8Array, base: number, end: number): FieldScan {
    let at = base + this.at;
    if (this.#phase === inName) {
      at = skipWhile(bytes, at, end, tokenByte);
      this.at = at - base;
      if (at === end) return 'more';
      if (bytes[at] !== colon || this.at === this.#nameStart) return nameRefusal(bytes[at]!);
      this.#nameEnd = this.at;
      at++;
      this.#phase = beforeValue;
    }
    if (this.#phase === beforeValue) {
      while (at < end && (bytes[at] === space || bytes[at] === tab)) at++;
      this.#valueStart = at - base;
      if (at < end) this.#phase = inValue;
    }
    if (this.#phase === inValue) {
      at = skipWhile(bytes, at, end, valueByte);
      if (at < end) {
        if (bytes[at] !== cr) return valueRefusal(bytes[at]!);
        at++;
        this.#phase = valueLineFeed;
      }
    }
    this.at = at - base;
    return at < end && this.#phase === valueLineFeed ? this.#endLine(bytes, base) : 'more';
  }

  #endLine(bytes: Uint8Array, base: number): FieldScan {
    if (bytes[base + this.at] !== lf) return 'bare-cr';
    if (this.#table.count === this.#maxFields) return 'too-many-fields';
    this.#add(bytes, base, this.#nameStart, this.#nameEnd, this.#valueStart, this.at - 1);
    this.at++;
    this.#phase = lineStart;
    return 'more';
  }
}

function isBlank(byte: number): boolean {
  return byte === space || byte === tab;
}

/** What is wrong where a name or its colon should be. */
export function nameRefusal(byte: number): RefusalCode {
  if (byte === space || byte === tab) return 'space-before-colon';
  if (byte === lf) return 'bare-lf';
  return 'field-name';
}

/** What is wrong with a byte in a value that is neither part of it nor CR. */
export function valueRefusal(byte: number): RefusalCode {
  return byte === lf ? 'bare-lf' : (byteClass[byte]! & valueByte) === 0 ? 'field-value' : 'bare-cr';
}
