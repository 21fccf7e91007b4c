import { consistsOf, cr, lf, targetByte, tokenByte, valueByte } from './bytes.ts';
import type { Head, RequestHead, ResponseHead } from './head.ts';
import { knownFields } from './known-fields.ts';

/** What is changed of a head that is forwarded. All else goes out as it came in. */
export interface HeadEdits {
  /** Indices of fields that are left out, ascending. */
  readonly drop?: readonly number[];
  /** Names and values that are put after the other fields. */
  readonly append?: readonly (readonly [name: string, value: string])[];
  /** Ready-made field lines that are put after the other fields, each with its CRLF. Not checked. */
  readonly lines?: readonly Uint8Array[];
}

export interface RequestEdits extends HeadEdits {
  /** The target; default: path and query as they came, or `*`, or CONNECT's authority. */
  readonly target?: string;
  /** The value of Host: in the place of the former one, or before all fields where there was none. */
  readonly host?: string;
}

/** An edit that is no valid HTTP: nothing was written. */
export interface WriteRefusal {
  readonly kind: 'refused';
  /** A fixed phrase. */
  readonly why: string;
}

const lineEndBytes = 2;
const noFields: readonly (readonly [string, string])[] = Object.freeze([]);
const noLines: readonly Uint8Array[] = Object.freeze([]);
const noDrops: readonly number[] = Object.freeze([]);
/** Of `HTTP/1.1 200 `. */
const statusLineBytes = 13;

/**
 * The head of a request as it goes to a backend: one buffer, most of it copied in a few runs. It
 * always says HTTP/1.1, the version that we speak (RFC 9110 §2.5).
 */
export function writeRequestHead(head: RequestHead, edits: RequestEdits = {}): Buffer | WriteRefusal {
  const { target, host } = edits;
  if (target !== undefined && !isFilled(target, targetByte))
    return refuse('the target has a forbidden character');
  if (host !== undefined && !isFilled(host, targetByte)) return refuse('the host has a forbidden character');
  const unchanged = target === undefined && head.form !== 'absolute' && head.minorVersion === 1;
  const startLine = unchanged ? '' : `${head.method} ${target ?? head.originTarget} HTTP/1.1\r\n`;
  return writeHead(head, startLine, edits, host === undefined ? '' : `Host: ${host}\r\n`);
}

/** The head of a response as it goes to a client. It always says HTTP/1.1, and has the space after its status. */
export function writeResponseHead(head: ResponseHead, edits: HeadEdits = {}): Buffer | WriteRefusal {
  const unchanged = head.minorVersion === 1 && head.reasonStart === statusLineBytes;
  return writeHead(head, unchanged ? '' : `HTTP/1.1 ${head.status} ${head.reason}\r\n`, edits, '');
}

/** @param startLine empty where the original one stays */
function writeHead(head: Head, startLine: string, edits: HeadEdits, hostLine: string): Buffer | WriteRefusal {
  let appended = '';
  for (const [name, value] of edits.append ?? noFields) {
    if (!isFilled(name, tokenByte)) return refuse('a field name has a forbidden character');
    if (!consistsOf(value, valueByte)) return refuse('a field value has a forbidden character');
    appended += `${name}: ${value}\r\n`;
  }
  const lines = edits.lines ?? noLines;
  let size = head.length + startLine.length + hostLine.length + appended.length + lineEndBytes;
  for (let i = 0; i < lines.length; i++) size += lines[i]!.length;
  const out = Buffer.allocUnsafe(size);
  let filled = copyFields(head, out, startLine, hostLine, edits.drop ?? noDrops);
  if (appended !== '') filled += out.write(appended, filled, 'latin1');
  for (let i = 0; i < lines.length; i++) {
    out.set(lines[i]!, filled);
    filled += lines[i]!.length;
  }
  out[filled] = cr;
  out[filled + 1] = lf;
  return out.subarray(0, filled + lineEndBytes);
}

function refuse(why: string): WriteRefusal {
  return { kind: 'refused', why };
}

function isFilled(text: string, mask: number): boolean {
  return text !== '' && consistsOf(text, mask);
}

/** Copies the lines that stay, as long runs, and returns how many bytes were written. */
function copyFields(
  head: Head,
  out: Buffer,
  startLine: string,
  hostLine: string,
  drop: readonly number[],
): number {
  const { fields } = head;
  const end = head.length - lineEndBytes;
  const hostIndex = hostLine === '' ? -1 : fields.indexOf(knownFields.host);
  let written = startLine === '' ? 0 : out.write(startLine, 0, 'latin1');
  let runStart = startLine === '' ? head.lineStart : head.fieldsStart;
  if (hostLine !== '' && hostIndex < 0) {
    written += copyRun(head, out, written, runStart, head.fieldsStart);
    written += out.write(hostLine, written, 'latin1');
    runStart = head.fieldsStart;
  }
  let nextDrop = 0;
  for (let index = 0; index < fields.count; index++) {
    const dropped = drop[nextDrop] === index;
    if (dropped) nextDrop++;
    if (!dropped && index !== hostIndex) continue;
    written += copyRun(head, out, written, runStart, fields.nameStart(index));
    if (index === hostIndex) written += out.write(hostLine, written, 'latin1');
    runStart = index + 1 < fields.count ? fields.nameStart(index + 1) : end;
  }
  return written + copyRun(head, out, written, runStart, end);
}

function copyRun(head: Head, out: Buffer, at: number, start: number, end: number): number {
  return start < end ? head.bytes.copy(out, at, head.start + start, head.start + end) : 0;
}
