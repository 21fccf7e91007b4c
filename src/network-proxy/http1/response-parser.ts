import { byteClass, cr, digitByte, lf, skipWhile, space, valueByte } from './bytes.ts';
import { readConnection, upgradeRefusal } from './connection-options.ts';
import { FieldScanner, valueRefusal } from './field-scanner.ts';
import { readBodyFields } from './framing-rules.ts';
import { ResponseHead } from './head.ts';
import { defaultFields, type HeadLimits } from './head-limits.ts';
import { type Refusal, type RefusalCode, responseRefusals } from './refusals.ts';
import { readVersion, versionBytes } from './version.ts';

const inStatus = 0;
const inReason = 1;
const reasonLineFeed = 2;
const inFields = 3;

/** `HTTP/1.1 200` and the byte after it. */
const statusBytes = versionBytes + 5;

/**
 * Reads the heads of responses (RFC 9112 §4–§6), as strictly as those of requests; every refusal
 * has status 502. One thing is let through that the grammar does not have, because many servers
 * do it and nobody misunderstands it: no space after the status code where no reason follows.
 */
export class ResponseParser {
  readonly #limits: HeadLimits;
  readonly #head = new ResponseHead();
  readonly #fields: FieldScanner;
  #phase = inStatus;
  /** Offset of the next byte of the status line from the beginning of the head. */
  #at = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
    this.#fields = new FieldScanner(this.#head.fields, limits.fields ?? defaultFields);
  }

  /** Forgets what it has read of a head. */
  reset(): void {
    this.#phase = inStatus;
    this.#at = 0;
  }

  /** As `RequestParser.parse`. */
  parse(bytes: Buffer, from: number, to: number): ResponseHead | Refusal | null {
    const head = this.#head;
    if (this.#phase === inStatus) head.begin(bytes, from);
    head.bytes = bytes;
    head.start = from;
    const limit = from + this.#limits.headerBytes;
    const end = Math.min(to, limit);
    const told = this.#scan(bytes, from, end);
    if (told === 'more') return end === limit ? this.#refuse('head-too-large') : null;
    if (told !== 'done') return this.#refuse(told);
    head.length = this.#fields.at;
    const refused = this.#judge(head);
    this.reset();
    return refused === null ? head : responseRefusals[refused];
  }

  #refuse(code: RefusalCode): Refusal {
    this.reset();
    return responseRefusals[code];
  }

  #scan(bytes: Buffer, from: number, end: number): 'more' | 'done' | RefusalCode {
    if (this.#phase !== inFields) {
      const told = this.#scanStatusLine(bytes, from, end);
      if (told !== 'done') return told;
      this.#head.fieldsStart = this.#at;
      this.#fields.start(this.#at);
      this.#phase = inFields;
    }
    return this.#fields.scan(bytes, from, end);
  }

  #scanStatusLine(bytes: Buffer, from: number, end: number): 'more' | 'done' | RefusalCode {
    const head = this.#head;
    if (this.#phase === inStatus) {
      const told = this.#readStatus(bytes, from, end);
      if (told !== 'done') return told;
    }
    let at = from + this.#at;
    if (this.#phase === inReason) {
      at = skipWhile(bytes, at, end, valueByte);
      this.#at = at - from;
      if (at === end) return 'more';
      if (bytes[at] !== cr) return valueRefusal(bytes[at]!) === 'bare-lf' ? 'bare-lf' : 'reason-phrase';
      head.reasonEnd = this.#at++;
      at++;
      this.#phase = reasonLineFeed;
    }
    if (at === end) return 'more';
    if (bytes[at] !== lf) return 'bare-cr';
    this.#at++;
    return 'done';
  }

  #readStatus(bytes: Buffer, from: number, end: number): 'more' | 'done' | RefusalCode {
    if (end - from < statusBytes) return 'more';
    const minor = readVersion(bytes, from);
    if (minor < 0) return minor === -1 ? 'unknown-version' : 'version';
    if (bytes[from + versionBytes] !== space) return 'version';
    const status = readStatusCode(bytes, from + versionBytes + 1);
    const next = bytes[from + statusBytes - 1];
    if (status < 100 || (next !== space && next !== cr)) return next === lf ? 'bare-lf' : 'status-code';
    this.#head.minorVersion = minor;
    this.#head.status = status;
    this.#at = next === space ? statusBytes : statusBytes - 1;
    this.#head.reasonStart = this.#at;
    this.#phase = inReason;
    return 'done';
  }

  /** What can be told only once all fields are there. */
  #judge(head: ResponseHead): RefusalCode | null {
    return readBodyFields(head) ?? readConnection(head) ?? upgradeRefusal(head);
  }
}

/** Three digits; −1 where they are not. */
function readStatusCode(bytes: Uint8Array, at: number): number {
  let status = 0;
  for (let i = at; i < at + 3; i++) {
    if ((byteClass[bytes[i]!]! & digitByte) === 0) return -1;
    status = status * 10 + bytes[i]! - 0x30;
  }
  return status;
}
