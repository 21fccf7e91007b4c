import { equalsWord } from './bytes.ts';
import { FieldTable } from './field-table.ts';
import { type Framing, noBody } from './framing.ts';
import { knownFields } from './known-fields.ts';

const empty = Buffer.alloc(0);
const noNames: readonly string[] = Object.freeze([]);

/**
 * What requests and responses have in common. A head is a view: offsets into the bytes that were
 * parsed, and texts only where they are asked for. It holds until its parser is given the next
 * message; whoever needs it after its bytes were reused calls `keep()` first.
 */
export abstract class Head {
  abstract readonly kind: 'request' | 'response';
  /** What the offsets point into, from `start` on. */
  bytes: Buffer = empty;
  /** Where the head begins in `bytes`; an empty line before a request counts as part of it. */
  start = 0;
  /** Bytes up to and with the empty line at its end. */
  length = 0;
  /** Where the start line begins, from `start` on: after an empty line before a request. */
  lineStart = 0;
  /** Where the fields begin, from `start` on. */
  fieldsStart = 0;
  /** HTTP/1.`minorVersion`: 0 or 1. */
  minorVersion = 1;
  readonly fields: FieldTable = new FieldTable();
  /** Content-Length; −1 where there is none. */
  contentLength = -1;
  /** The body comes in chunks. */
  chunked = false;
  /** Options of Connection (RFC 9110 §7.6.1). */
  closeOption = false;
  keepAliveOption = false;
  upgradeOption = false;
  /** Other fields that Connection names, in lower case. */
  connectionNames: readonly string[] = noNames;

  /** Forgets the former message. */
  begin(bytes: Buffer, start: number): void {
    this.bytes = bytes;
    this.start = start;
    this.length = 0;
    this.contentLength = -1;
    this.chunked = false;
    this.closeOption = false;
    this.keepAliveOption = false;
    this.upgradeOption = false;
    this.connectionNames = noNames;
  }

  get fieldCount(): number {
    return this.fields.count;
  }

  /** Whether the sender allows another message after this one (RFC 9112 §9.3). Its framing may still forbid it. */
  get keepAlive(): boolean {
    if (this.closeOption) return false;
    return this.minorVersion === 1 || this.keepAliveOption;
  }

  /** The protocols to change to, as Upgrade lists them; null without `Connection: upgrade`, and in HTTP/1.0. */
  get upgrade(): string | null {
    if (!this.upgradeOption || this.minorVersion === 0 || !this.fields.has(knownFields.upgrade)) return null;
    return this.field('upgrade') ?? null;
  }

  /** The name of field `index` as it was sent. */
  nameAt(index: number): string {
    return this.text(this.fields.nameStart(index), this.fields.nameEnd(index));
  }

  /** The value of field `index` without white space around it, one character for each byte. */
  valueAt(index: number): string {
    return this.text(this.fields.valueStart(index), this.fields.valueEnd(index));
  }

  /** Whether field `index` is called `name` (lower case). */
  isNamed(index: number, name: string): boolean {
    const nameStart = this.start + this.fields.nameStart(index);
    return equalsWord(this.bytes, nameStart, this.start + this.fields.nameEnd(index), name);
  }

  /**
   * The value of a field; several are joined with `, ` (RFC 9110 §5.3: not to be used for
   * Set-Cookie, see `values`). Undefined where there is none.
   *
   * @param name in lower case
   */
  field(name: string): string | undefined {
    let joined: string | undefined;
    for (let index = 0; index < this.fields.count; index++) {
      if (!this.isNamed(index, name)) continue;
      joined = joined === undefined ? this.valueAt(index) : `${joined}, ${this.valueAt(index)}`;
    }
    return joined;
  }

  /** Each value of a field, in order. `name` is in lower case. */
  values(name: string): string[] {
    const values: string[] = [];
    for (let index = 0; index < this.fields.count; index++) {
      if (this.isNamed(index, name)) values.push(this.valueAt(index));
    }
    return values;
  }

  /** Moves the head into memory of its own. */
  keep(): void {
    const { bytes, start, length } = this;
    this.bytes = Buffer.allocUnsafe(length);
    bytes.copy(this.bytes, 0, start, start + length);
    this.start = 0;
  }

  /** Bytes of the head as text, one character for each. */
  text(start: number, end: number): string {
    return this.bytes.toString('latin1', this.start + start, this.start + end);
  }
}

/** How a request names its target (RFC 9112 §3.2). */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk';

/** A request that passed every check: target, Host and framing are sound. */
export class RequestHead extends Head {
  readonly kind = 'request';
  /** Empty until it was read. */
  method = '';
  form: TargetForm = 'origin';
  framing: Framing = noBody;
  /** `Expect: 100-continue` in HTTP/1.1 (RFC 9110 §10.1.1). */
  expectContinue = false;
  /** Offsets: the target, and in it the authority and the path with its query. Equal where there is none. */
  targetStart = 0;
  targetEnd = 0;
  authorityStart = 0;
  authorityEnd = 0;
  pathStart = 0;
  /** The authority that was last made a text, of this request or of an earlier one. */
  #authority = '';
  #authorityIsKnown = false;

  /** As it was sent. */
  get target(): string {
    return this.text(this.targetStart, this.targetEnd);
  }

  /**
   * What an origin server is asked for (RFC 9112 §3.2.1): path and query, or `*`. The absolute
   * form is reduced to it; CONNECT keeps its authority.
   */
  get originTarget(): string {
    const target = this.text(this.pathStart, this.targetEnd);
    if (this.form !== 'absolute' || target.startsWith('/')) return target;
    return target === '' && this.method === 'OPTIONS' ? '*' : `/${target}`;
  }

  /** The path without its query, as it was sent: nothing is decoded or resolved. `*` and authorities are no path. */
  get path(): string {
    const target = this.originTarget;
    const query = target.indexOf('?');
    return query < 0 ? target : target.slice(0, query);
  }

  /** The query with its `?`; empty where there is none. */
  get query(): string {
    const target = this.originTarget;
    const query = target.indexOf('?');
    return query < 0 ? '' : target.slice(query);
  }

  /** Who is asked, as it was sent: the target's authority, else Host. Empty where HTTP/1.0 has neither. */
  get authority(): string {
    if (!this.#authorityIsKnown) this.#authority = this.#readAuthority();
    this.#authorityIsKnown = true;
    return this.#authority;
  }

  #readAuthority(): string {
    if (this.authorityStart < this.authorityEnd) return this.text(this.authorityStart, this.authorityEnd);
    const index = this.fields.indexOf(knownFields.host);
    return index < 0 ? '' : this.valueAt(index);
  }

  /**
   * Whether Host, field `index`, says what the authority was that was last asked for: a connection's
   * requests mostly agree, and then it need be neither checked nor made a text again.
   */
  repeatsAuthority(index: number): boolean {
    const known = this.#authority;
    const at = this.start + this.fields.valueStart(index);
    const length = this.fields.valueEnd(index) - this.fields.valueStart(index);
    if (length === 0 || length !== known.length) return false;
    for (let i = 0; i < length; i++) if (this.bytes[at + i] !== known.charCodeAt(i)) return false;
    this.#authorityIsKnown = true;
    return true;
  }

  /** The authority's name in lower case without port and trailing dot; an IPv6 address without brackets. */
  get host(): string {
    const { authority } = this;
    const bracket = authority.indexOf(']');
    if (bracket > 0) return authority.slice(1, bracket).toLowerCase();
    const colonAt = authority.indexOf(':');
    const name = (colonAt < 0 ? authority : authority.slice(0, colonAt)).toLowerCase();
    return name.endsWith('.') ? name.slice(0, -1) : name;
  }

  /** The authority's port; null where it has none. */
  get port(): number | null {
    const { authority } = this;
    const colonAt = authority.lastIndexOf(':');
    if (colonAt < 0 || authority.endsWith(']')) return null;
    return Number(authority.slice(colonAt + 1));
  }

  override begin(bytes: Buffer, start: number): void {
    super.begin(bytes, start);
    this.method = '';
    this.framing = noBody;
    this.expectContinue = false;
    this.#authorityIsKnown = false;
    this.authorityStart = 0;
    this.authorityEnd = 0;
  }
}

/** The head of a backend's answer. How its body ends depends on the request: `responseFraming`. */
export class ResponseHead extends Head {
  readonly kind = 'response';
  /** 100–999. */
  status = 0;
  /** Offsets of the reason phrase, which may be empty. */
  reasonStart = 0;
  reasonEnd = 0;

  get reason(): string {
    return this.text(this.reasonStart, this.reasonEnd);
  }
}
