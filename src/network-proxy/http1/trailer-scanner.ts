import { byteClass, colon, cr, lf, lowerCase, space, tab, tokenByte, valueByte } from './bytes.ts';
import { nameRefusal, valueRefusal } from './field-scanner.ts';
import { fieldIdOf, forbiddenInTrailersBits, longestKnownName } from './known-fields.ts';
import type { RefusalCode } from './refusals.ts';

const lineStart = 0;
const inName = 1;
const inValue = 2;
const valueLineFeed = 3;
const lastLineFeed = 4;

/** More bytes are needed, the section is complete, or it is refused. */
export type TrailerStep = 'more' | 'done' | RefusalCode;

/**
 * Checks a trailer section (RFC 9112 §7.1.2) that goes by in any pieces, by the rules of head
 * fields. It keeps no bytes but those of the present name, as many as a forbidden one has.
 */
export class TrailerScanner {
  readonly #maxBytes: number;
  readonly #maxFields: number;
  readonly #name = new Uint8Array(longestKnownName + 1);
  #phase = lineStart;
  #nameLength = 0;
  #bytes = 0;
  #fields = 0;

  /** @param maxBytes of the whole section; more are `head-too-large` */
  constructor(maxBytes: number, maxFields: number) {
    this.#maxBytes = maxBytes;
    this.#maxFields = maxFields;
  }

  start(): void {
    this.#phase = lineStart;
    this.#bytes = 0;
    this.#fields = 0;
  }

  /** Takes the next byte. */
  step(byte: number): TrailerStep {
    if (++this.#bytes > this.#maxBytes) return 'head-too-large';
    switch (this.#phase) {
      case lineStart:
        return this.#beginLine(byte);
      case inName:
        return this.#stepName(byte);
      case inValue:
        if ((byteClass[byte]! & valueByte) !== 0) return 'more';
        this.#phase = valueLineFeed;
        return byte === cr ? 'more' : valueRefusal(byte);
      case valueLineFeed:
        this.#phase = lineStart;
        return byte === lf ? 'more' : 'bare-cr';
      default:
        return byte === lf ? 'done' : 'bare-cr';
    }
  }

  #beginLine(byte: number): TrailerStep {
    if (byte === cr) {
      this.#phase = lastLineFeed;
      return 'more';
    }
    if (byte === space || byte === tab) return 'folded-line';
    if (this.#fields++ === this.#maxFields) return 'too-many-fields';
    this.#phase = inName;
    this.#nameLength = 0;
    return this.#stepName(byte);
  }

  #stepName(byte: number): TrailerStep {
    if ((byteClass[byte]! & tokenByte) !== 0) {
      if (this.#nameLength < this.#name.length) this.#name[this.#nameLength++] = lowerCase[byte]!;
      return 'more';
    }
    if (byte !== colon || this.#nameLength === 0) return nameRefusal(byte);
    const forbidden = (1 << fieldIdOf(this.#name, 0, this.#nameLength)) & forbiddenInTrailersBits;
    this.#phase = inValue;
    return forbidden === 0 ? 'more' : 'trailer-forbidden';
  }
}
