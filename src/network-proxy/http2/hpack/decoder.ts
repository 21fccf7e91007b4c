import { firstTableBytes } from '../frames.ts';
import { DynamicTable, entryOverheadBytes } from './dynamic-table.ts';
import { huffmanText } from './huffman.ts';
import { staticFields } from './static-table.ts';

/** What a head may be before its fields are not kept any more. */
export interface FieldLimits {
  /** Of names and values, with 32 for each field (RFC 9113 §6.5.2). */
  readonly listBytes: number;
  readonly fields: number;
}

/** More than any length or index within a head can be. */
const mostInteger = 1 << 24;

/** Reads heads by HPACK (RFC 7541): one for each direction of a connection, as heads refer to earlier ones. */
export class HpackDecoder {
  readonly #limits: FieldLimits;
  readonly #table = new DynamicTable(firstTableBytes);
  #bytes: Buffer = nothing;
  #at = 0;
  #end = 0;
  #fields: string[] = [];
  #listBytes = 0;
  /** The last head was beyond the limits: not all of its fields were told. */
  exceeded = false;

  constructor(limits: FieldLimits) {
    this.#limits = limits;
  }

  /** Names and values in turn. Null: a broken head, after which nothing can be read any more. */
  decode(bytes: Buffer, start: number, end: number): string[] | null {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#fields = [];
    this.#listBytes = 0;
    this.exceeded = false;
    const read = this.#readSizes() && this.#readFields();
    this.#bytes = nothing;
    return read ? this.#fields : null;
  }

  /** Changes of the table's size come first (§4.2). */
  #readSizes(): boolean {
    while (this.#at < this.#end && (this.#bytes[this.#at]! & 0xe0) === 0x20) {
      const size = this.#integer(5);
      if (size < 0 || size > firstTableBytes) return false;
      this.#table.resize(size);
    }
    return true;
  }

  #readFields(): boolean {
    while (this.#at < this.#end) {
      const first = this.#bytes[this.#at]!;
      const read = first >= 0x80 ? this.#indexed() : this.#literal(first);
      if (!read) return false;
    }
    return true;
  }

  #indexed(): boolean {
    const index = this.#integer(7);
    if (index <= 0) return false;
    if (index <= staticFields.length) {
      const field = staticFields[index - 1]!;
      this.#add(field[0], field[1]);
      return true;
    }
    const place = index - staticFields.length;
    if (place > this.#table.length) return false;
    this.#add(this.#table.name(place), this.#table.value(place));
    return true;
  }

  /** With a name that is known, or in full; to be kept where the second bit says so (§6.2). */
  #literal(first: number): boolean {
    const kept = first >= 0x40;
    if (!kept && first >= 0x20) return false;
    const index = this.#integer(kept ? 6 : 4);
    if (index < 0) return false;
    const name = index === 0 ? this.#text() : this.#nameAt(index);
    const value = name === null ? null : this.#text();
    if (name === null || value === null) return false;
    if (kept) this.#table.add(name, value);
    this.#add(name, value);
    return true;
  }

  #nameAt(index: number): string | null {
    if (index <= staticFields.length) return staticFields[index - 1]![0];
    const place = index - staticFields.length;
    return place > this.#table.length ? null : this.#table.name(place);
  }

  #add(name: string, value: string): void {
    this.#listBytes += name.length + value.length + entryOverheadBytes;
    const { listBytes, fields } = this.#limits;
    if (this.#listBytes > listBytes || this.#fields.length >= 2 * fields) this.exceeded = true;
    else this.#fields.push(name, value);
  }

  /** §5.1; −1: it does not end, or is larger than anything could be. */
  #integer(prefixBits: number): number {
    const most = (1 << prefixBits) - 1;
    let value = this.#bytes[this.#at++]! & most;
    if (value < most) return value;
    for (let shift = 0; this.#at < this.#end && shift <= 21; shift += 7) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) << shift;
      if (value > mostInteger) return -1;
      if (byte < 0x80) return value;
    }
    return -1;
  }

  #text(): string | null {
    if (this.#at >= this.#end) return null;
    const huffman = this.#bytes[this.#at]! >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    if (length < 0 || length > this.#end - start) return null;
    this.#at += length;
    if (huffman) return huffmanText(this.#bytes, start, this.#at);
    return length === 0 ? '' : this.#bytes.toString('latin1', start, this.#at);
  }
}

const nothing = Buffer.alloc(0);
