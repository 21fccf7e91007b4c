import { hostRefusal } from './authority.ts';
import { cr, lf, skipWhile, space, targetByte, tokenByte } from './bytes.ts';
import { readConnection, upgradeRefusal } from './connection-options.ts';
import { FieldScanner } from './field-scanner.ts';
import { readBodyFields, requestFraming } from './framing-rules.ts';
import { RequestHead } from './head.ts';
import { defaultFields, defaultTargetBytes, type HeadLimits } from './head-limits.ts';
import { knownFields } from './known-fields.ts';
import { maxMethodBytes, methodOf } from './methods.ts';
import { type Refusal, type RefusalCode, requestRefusals } from './refusals.ts';
import { readTarget } from './target.ts';
import { readVersion, versionBytes } from './version.ts';

const beforeMethod = 0;
const emptyLineFeed = 1;
const inMethod = 2;
const inTarget = 3;
const inVersion = 4;
const inFields = 5;

export interface RequestParserOptions extends HeadLimits {
  /** Lets every method through that is a token. Default false: what is not implemented is refused with 501. */
  readonly anyMethod?: boolean;
}

/**
 * Reads the heads of requests (RFC 9112 §2–§6), one after the other, strictly: what two readers
 * could understand differently is refused. It keeps no bytes, only where it stopped.
 */
export class RequestParser {
  readonly #options: RequestParserOptions;
  readonly #head = new RequestHead();
  readonly #fields: FieldScanner;
  #phase = beforeMethod;
  /** Offset of the next byte of the start line from the beginning of the head. */
  #at = 0;
  #methodStart = 0;

  constructor(options: RequestParserOptions) {
    this.#options = options;
    this.#fields = new FieldScanner(this.#head.fields, options.fields ?? defaultFields);
  }

  /** Whether a request has begun and its head is not complete. An empty line alone is no beginning. */
  get inHead(): boolean {
    return this.#at !== this.#methodStart;
  }

  /** Of the head that is being read, or was last; empty where it was not told. */
  get method(): string {
    return this.#head.method;
  }

  /** Forgets what it has read of a head. */
  reset(): void {
    this.#phase = beforeMethod;
    this.#at = 0;
    this.#methodStart = 0;
  }

  /**
   * Goes on reading the head that begins at `from`. The same head is given again, longer, as more
   * arrives; it may have been moved. What was looked at is not looked at again.
   *
   * @param to the position after the last byte that is there
   * @returns null: more is needed; a head, valid until the next call, `length` bytes long, after
   *   which the next call begins a new one; or why there is none
   */
  parse(bytes: Buffer, from: number, to: number): RequestHead | Refusal | null {
    const head = this.#head;
    if (this.#phase === beforeMethod) head.begin(bytes, from);
    head.bytes = bytes;
    head.start = from;
    const limit = from + this.#options.headerBytes;
    const end = Math.min(to, limit);
    const told = this.#scan(bytes, from, end);
    if (told === 'more') return end === limit ? this.#refuse(this.#tooLarge()) : null;
    if (told !== 'done') return this.#refuse(told);
    head.length = this.#fields.at;
    const refused = this.#judge(head);
    this.reset();
    return refused === null ? head : requestRefusals[refused];
  }

  #refuse(code: RefusalCode): Refusal {
    this.reset();
    return requestRefusals[code];
  }

  #tooLarge(): RefusalCode {
    return this.#phase === inTarget ? 'target-too-long' : 'head-too-large';
  }

  #scan(bytes: Buffer, from: number, end: number): 'more' | 'done' | RefusalCode {
    if (this.#phase !== inFields) {
      const told = this.#scanStartLine(bytes, from, end);
      if (told !== 'done') return told;
      this.#head.fieldsStart = this.#at;
      this.#fields.start(this.#at);
      this.#phase = inFields;
    }
    return this.#fields.scan(bytes, from, end);
  }

  #scanStartLine(bytes: Buffer, from: number, end: number): 'more' | 'done' | RefusalCode {
    if (this.#phase < inMethod && !this.#skipEmptyLine(bytes, from, end)) {
      return this.#phase === emptyLineFeed && from + this.#at < end ? 'bare-cr' : 'more';
    }
    if (this.#phase === inMethod) {
      const told = this.#scanMethod(bytes, from, end);
      if (told !== 'done') return told;
    }
    if (this.#phase === inTarget) {
      const told = this.#scanTarget(bytes, from, end);
      if (told !== 'done') return told;
    }
    return this.#readVersion(bytes, from, end);
  }

  /** One empty line before a request is allowed (§2.2). Returns whether the method begins. */
  #skipEmptyLine(bytes: Buffer, from: number, end: number): boolean {
    if (this.#phase === beforeMethod && from < end) {
      this.#phase = bytes[from] === cr ? emptyLineFeed : inMethod;
      this.#at = this.#phase === emptyLineFeed ? 1 : 0;
    }
    if (this.#phase === emptyLineFeed && from + 1 < end && bytes[from + 1] === lf) {
      this.#phase = inMethod;
      this.#at = 2;
    }
    this.#methodStart = this.#at;
    return this.#phase === inMethod;
  }

  #scanMethod(bytes: Buffer, from: number, end: number): 'more' | 'done' | RefusalCode {
    const at = skipWhile(bytes, from + this.#at, end, tokenByte);
    this.#at = at - from;
    if (this.#at - this.#methodStart > maxMethodBytes) return 'unknown-method';
    if (at === end) return 'more';
    if (bytes[at] !== space || this.#at === this.#methodStart) return bytes[at] === lf ? 'bare-lf' : 'method';
    const start = from + this.#methodStart;
    const method = methodOf(bytes, start, at);
    if (method === undefined && this.#options.anyMethod !== true) return 'unknown-method';
    this.#head.lineStart = this.#methodStart;
    this.#head.method = method ?? bytes.toString('latin1', start, at);
    this.#at++;
    this.#head.targetStart = this.#at;
    this.#phase = inTarget;
    return 'done';
  }

  #scanTarget(bytes: Buffer, from: number, end: number): 'more' | 'done' | RefusalCode {
    const head = this.#head;
    const at = skipWhile(bytes, from + this.#at, end, targetByte);
    this.#at = at - from;
    if (this.#at - head.targetStart > (this.#options.targetBytes ?? defaultTargetBytes))
      return 'target-too-long';
    if (at === end) return 'more';
    if (bytes[at] !== space || this.#at === head.targetStart) return bytes[at] === lf ? 'bare-lf' : 'target';
    head.targetEnd = this.#at;
    if (!readTarget(head)) return 'target-form';
    this.#at++;
    this.#phase = inVersion;
    return 'done';
  }

  #readVersion(bytes: Buffer, from: number, end: number): 'more' | 'done' | RefusalCode {
    const at = from + this.#at;
    if (end - at < versionBytes + 2) return 'more';
    const minor = readVersion(bytes, at);
    if (minor < 0) return minor === -1 ? 'unknown-version' : 'version';
    if (bytes[at + versionBytes] !== cr) return bytes[at + versionBytes] === lf ? 'bare-lf' : 'version';
    if (bytes[at + versionBytes + 1] !== lf) return 'bare-cr';
    this.#head.minorVersion = minor;
    this.#at += versionBytes + 2;
    return 'done';
  }

  /** What can be told only once all fields are there. */
  #judge(head: RequestHead): RefusalCode | null {
    const { fields } = head;
    const refused = hostRefusal(head) ?? readBodyFields(head) ?? readConnection(head) ?? upgradeRefusal(head);
    if (refused !== null) return refused;
    const framing = requestFraming(head);
    if (typeof framing === 'string') return framing;
    head.framing = framing;
    if (fields.has(knownFields.expect) && head.minorVersion === 1) {
      head.expectContinue = head.field('expect')?.toLowerCase() === '100-continue';
    }
    return null;
  }
}
