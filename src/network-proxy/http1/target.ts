import { portColon } from './authority.ts';
import { equalsWord } from './bytes.ts';
import type { RequestHead } from './head.ts';

const slash = 0x2f;
const question = 0x3f;
const asterisk = 0x2a;

/**
 * Finds the form of a request's target and the parts that matter (RFC 9112 §3.2): a path; a whole
 * http or https URL; for CONNECT, and only there, a host with its port; for OPTIONS, and only
 * there, `*`. Returns false where it is none of them. `targetStart`, `targetEnd` and `method` are
 * set before.
 */
export function readTarget(head: RequestHead): boolean {
  const { bytes } = head;
  const start = head.start + head.targetStart;
  const end = head.start + head.targetEnd;
  head.pathStart = head.targetStart;
  if (head.method === 'CONNECT') return readAuthorityForm(head, start, end);
  if (bytes[start] === slash) {
    head.form = 'origin';
    return true;
  }
  if (bytes[start] === asterisk) {
    head.form = 'asterisk';
    return end - start === 1 && head.method === 'OPTIONS';
  }
  return readAbsoluteForm(head, start, end);
}

function readAuthorityForm(head: RequestHead, start: number, end: number): boolean {
  head.form = 'authority';
  head.authorityStart = head.targetStart;
  head.authorityEnd = head.targetEnd;
  const colonAt = portColon(head.bytes, start, end);
  return colonAt >= 0 && colonAt < end;
}

function readAbsoluteForm(head: RequestHead, start: number, end: number): boolean {
  const { bytes } = head;
  const scheme = startsWith(bytes, start, end, 'http://')
    ? 7
    : startsWith(bytes, start, end, 'https://')
      ? 8
      : 0;
  if (scheme === 0) return false;
  head.form = 'absolute';
  let at = start + scheme;
  head.authorityStart = at - head.start;
  while (at < end && bytes[at] !== slash && bytes[at] !== question) at++;
  head.authorityEnd = at - head.start;
  head.pathStart = head.authorityEnd;
  return portColon(bytes, start + scheme, at) >= 0;
}

function startsWith(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  return end - start >= word.length && equalsWord(bytes, start, start + word.length, word);
}
