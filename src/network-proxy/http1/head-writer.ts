import { consistsOf, copyBytes, targetByte } from './bytes.ts';
import type { Head, RequestHead, ResponseHead } from './head.ts';
import { knownFields } from './known-fields.ts';

/** Where a head is put together: behind what is there already. */
export interface HeadTarget {
  /** The next byte goes to `end`. */
  readonly memory: Buffer;
  end: number;
  /** Makes room for so many bytes: `memory` and `end` may be others afterwards. */
  reserve(length: number): void;
}

/** What is changed of a request's head. */
export interface RequestEdits {
  /** Indices of fields that are left out, ascending. */
  readonly drop: readonly number[];
  /** The target; null: path and query as they came, or `*`, or CONNECT's authority. */
  readonly target: string | null;
  /** The value of Host: in the place of the former one, or before all fields where there was none. Null: unchanged. */
  readonly host: string | null;
}

const lineEndBytes = 2;
/** Of `HTTP/1.1 200 `. */
const statusLineBytes = 13;

/**
 * The head of a request as it goes to a backend, most of it copied in a few runs. It always says
 * HTTP/1.1, the version that we speak (RFC 9110 §2.5). What is added comes after it; the empty line
 * at the end is the caller's.
 *
 * @throws RangeError where an edit is no valid HTTP
 */
export function copyRequestHead(head: RequestHead, edits: RequestEdits, out: HeadTarget): void {
  const { target, host, drop } = edits;
  if (target !== null) refuseUnless(isFilled(target), 'the target has a forbidden character');
  if (host !== null) refuseUnless(isFilled(host), 'the host has a forbidden character');
  const unchanged = target === null && head.form !== 'absolute' && head.minorVersion === 1;
  const startLine = unchanged ? '' : `${head.method} ${target ?? head.originTarget} HTTP/1.1\r\n`;
  copyFields(head, out, startLine, host === null ? '' : `Host: ${host}\r\n`, drop);
}

/**
 * The head of a response as it goes to a client. It always says HTTP/1.1, and has the space after
 * its status; the empty line at the end is the caller's.
 */
export function copyResponseHead(head: ResponseHead, drop: readonly number[], out: HeadTarget): void {
  const unchanged = head.minorVersion === 1 && head.reasonStart === statusLineBytes;
  copyFields(head, out, unchanged ? '' : `HTTP/1.1 ${head.status} ${head.reason}\r\n`, '', drop);
}

function refuseUnless(sound: boolean, why: string): void {
  if (!sound) throw new RangeError(why);
}

function isFilled(text: string): boolean {
  return text !== '' && consistsOf(text, targetByte);
}

/**
 * Copies the lines that stay, as long runs.
 *
 * @param startLine empty where the original one stays
 */
function copyFields(
  head: Head,
  out: HeadTarget,
  startLine: string,
  hostLine: string,
  drop: readonly number[],
): void {
  out.reserve(head.length + startLine.length + hostLine.length);
  const { fields } = head;
  const end = head.length - lineEndBytes;
  const hostIndex = hostLine === '' ? -1 : fields.indexOf(knownFields.host);
  writeText(startLine, out);
  let runStart = startLine === '' ? head.lineStart : head.fieldsStart;
  if (hostLine !== '' && hostIndex < 0) {
    copyRun(head, out, runStart, head.fieldsStart);
    writeText(hostLine, out);
    runStart = head.fieldsStart;
  }
  let nextDrop = 0;
  for (let index = 0; index < fields.count; index++) {
    const dropped = drop[nextDrop] === index;
    if (dropped) nextDrop++;
    if (!dropped && index !== hostIndex) continue;
    copyRun(head, out, runStart, fields.nameStart(index));
    if (index === hostIndex) writeText(hostLine, out);
    runStart = index + 1 < fields.count ? fields.nameStart(index + 1) : end;
  }
  copyRun(head, out, runStart, end);
}

function writeText(text: string, out: HeadTarget): void {
  if (text !== '') out.end += out.memory.write(text, out.end, 'latin1');
}

function copyRun({ bytes, start: base }: Head, out: HeadTarget, start: number, end: number): void {
  const length = end - start;
  if (length <= 0) return;
  copyBytes(bytes, base + start, out.memory, out.end, length);
  out.end += length;
}
