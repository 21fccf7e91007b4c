import { GrowingBuffer } from './growing-buffer.ts';
import { type HelloFields, parseHelloBody } from './hello-body.ts';

/** A complete ClientHello. */
export interface ClientHello extends HelloFields {
  kind: 'hello';
  /** Bytes on the wire from the beginning to the end of the hello, record headers included. */
  length: number;
}

/** What the bytes so far are. */
export type HelloResult =
  | ClientHello
  /** Nothing can be told before there are `need` bytes in all; there may be more to come then. */
  | { kind: 'incomplete'; need: number }
  /** It began as TLS and is not a ClientHello. `why` is a fixed phrase, safe to log. */
  | { kind: 'invalid'; why: string }
  /** It takes more bytes than the parser may read. */
  | { kind: 'too-large' }
  /** No TLS connection begins like this (SSL 2 hellos with them). */
  | { kind: 'not-tls' };

const handshakeRecord = 22;
const majorVersion = 3;
const recordHeaderBytes = 5;
const handshakeHeaderBytes = 4;
const clientHelloType = 1;
/** RFC 8446 §5.1. */
const maxRecordBytes = 16_384;

/**
 * Reads a ClientHello that comes in any number of pieces and over any number of TLS records
 * (RFC 8446 §5.1 lets a record hold as little as one byte of it). Each byte is looked at once,
 * whatever the split, so the result never depends on how the bytes were cut, and thousands of
 * tiny records cost no more than their bytes. It holds at most `maxBytes`.
 */
export class ClientHelloParser {
  readonly #maxBytes: number;
  /** Wire bytes seen so far. */
  #seen = 0;
  /** The header of the present record, as far as it is known. */
  readonly #header = new Uint8Array(recordHeaderBytes);
  #headerLength = 0;
  /** Bytes of the present record that are still to come. */
  #recordLeft = 0;
  /** The handshake message without the record headers. */
  readonly #message = new GrowingBuffer();
  /** Bytes of the whole message, or null as long as its header is incomplete. */
  #messageLength: number | null = null;
  #result: HelloResult = { kind: 'incomplete', need: recordHeaderBytes + handshakeHeaderBytes };

  /** @param maxBytes the longest hello, in bytes on the wire; whatever needs more is `too-large` */
  constructor(maxBytes = Number.POSITIVE_INFINITY) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes. After a final result it takes no more, and gives the same one again. */
  push(bytes: Uint8Array): HelloResult {
    let at = 0;
    while (at < bytes.length && this.#result.kind === 'incomplete') {
      at += this.#recordLeft > 0 ? this.#takeFragment(bytes, at) : this.#takeHeaderByte(bytes[at] as number);
    }
    return this.#result;
  }

  #takeHeaderByte(byte: number): number {
    this.#seen++;
    const place = this.#headerLength++;
    this.#header[place] = byte;
    if ((place === 0 && byte !== handshakeRecord) || (place === 1 && byte !== majorVersion)) {
      const first = this.#seen <= 2;
      this.#end(first ? { kind: 'not-tls' } : { kind: 'invalid', why: 'another record inside the hello' });
    } else if (this.#headerLength === recordHeaderBytes) {
      this.#beginRecord();
    } else {
      this.#expectMore();
    }
    return 1;
  }

  #beginRecord(): void {
    this.#headerLength = 0;
    this.#recordLeft = ((this.#header[3] as number) << 8) | (this.#header[4] as number);
    // RFC 8446 §5.1 forbids empty handshake records: they would cost us and carry nothing.
    if (this.#recordLeft === 0) this.#end({ kind: 'invalid', why: 'empty record' });
    else if (this.#recordLeft > maxRecordBytes)
      this.#end({ kind: 'invalid', why: 'record over 16384 bytes' });
    else this.#expectMore();
  }

  #takeFragment(bytes: Uint8Array, at: number): number {
    const available = Math.min(bytes.length - at, this.#recordLeft);
    const isStart = this.#message.length === 0;
    if (isStart && available >= handshakeHeaderBytes) this.#messageLength = readLength(bytes, at);
    const wanted = this.#messageLength ?? handshakeHeaderBytes;
    const length = Math.min(available, wanted - this.#message.length);
    this.#recordLeft -= length;
    this.#seen += length;
    const fragment = bytes.subarray(at, at + length);
    // Nearly every hello comes whole in one record and one read: no need for a copy.
    if (isStart && length === this.#messageLength) this.#check(fragment);
    else this.#collect(fragment);
    return length;
  }

  #collect(fragment: Uint8Array): void {
    this.#message.append(fragment);
    const message = this.#message.view();
    if (message.length === handshakeHeaderBytes) this.#messageLength = readLength(message, 0);
    this.#check(message);
  }

  #check(message: Uint8Array): void {
    if (message[0] !== clientHelloType) this.#end({ kind: 'invalid', why: 'not a ClientHello' });
    else if (message.length !== this.#messageLength) this.#expectMore();
    else if (this.#seen > this.#maxBytes) this.#end({ kind: 'too-large' });
    else this.#end(this.#readMessage(message));
  }

  #readMessage(message: Uint8Array): HelloResult {
    // A client sends nothing more before it was answered (early data has records of its own).
    if (this.#recordLeft > 0) return { kind: 'invalid', why: 'more than a hello in its record' };
    const fields = parseHelloBody(message.subarray(handshakeHeaderBytes));
    if (typeof fields === 'string') return { kind: 'invalid', why: fields };
    return { kind: 'hello', length: this.#seen, ...fields };
  }

  #expectMore(): void {
    const missing = (this.#messageLength ?? handshakeHeaderBytes) - this.#message.length;
    const headerLeft = this.#recordLeft > 0 ? 0 : recordHeaderBytes - this.#headerLength;
    // Further record headers, at the very least, stand between what this record holds and the end.
    const beyond = Math.max(missing - (this.#recordLeft || maxRecordBytes), 0);
    const moreHeaders = Math.ceil(beyond / maxRecordBytes) * recordHeaderBytes;
    const need = this.#seen + headerLeft + missing + moreHeaders;
    if (need > this.#maxBytes) this.#end({ kind: 'too-large' });
    else this.#result = { kind: 'incomplete', need };
  }

  #end(result: HelloResult): void {
    this.#result = result;
    this.#message.clear();
  }
}

/** Bytes of the whole message, from its header at `at` (RFC 8446 §4). */
function readLength(bytes: Uint8Array, at: number): number {
  const [high, middle, low] = [bytes[at + 1] as number, bytes[at + 2] as number, bytes[at + 3] as number];
  return handshakeHeaderBytes + ((high << 16) | (middle << 8) | low);
}
