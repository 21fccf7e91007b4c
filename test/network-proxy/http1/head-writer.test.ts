import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hopByHopFields } from '../../../src/network-proxy/http1/connection-options.ts';
import {
  copyRequestHead,
  copyResponseHead,
  type HeadTarget,
  type RequestEdits,
} from '../../../src/network-proxy/http1/head-writer.ts';
import { RequestParser } from '../../../src/network-proxy/http1/request-parser.ts';
import { accepted, acceptedResponse, get, limits, message } from './reading.ts';

const noEdits: RequestEdits = { drop: [], target: null, host: null };

/** What `copy` puts into memory with nothing before it. */
function written(copy: (out: HeadTarget) => void): string {
  const out = { memory: Buffer.alloc(0), end: 0, reserve };
  copy(out);
  return `${out.memory.toString('latin1', 0, out.end)}\r\n`;
}

/** As much as is asked for, and no more. */
function reserve(this: { memory: Buffer; end: number }, length: number): void {
  const memory = Buffer.alloc(this.end + length);
  this.memory.copy(memory, 0, 0, this.end);
  this.memory = memory;
}

function forwarded(bytes: Buffer, edits: Partial<RequestEdits> = {}): string {
  const head = accepted(bytes);
  return written((out) => copyRequestHead(head, { ...noEdits, ...edits }, out));
}

function answered(bytes: Buffer, drop: readonly number[] = []): string {
  const head = acceptedResponse(bytes);
  return written((out) => copyResponseHead(head, drop, out));
}

const text = (...lines: string[]): string => message(lines).toString('latin1');

test('a head without edits goes out as it came', () => {
  const bytes = get('X:  spaced  ', 'x-Odd:case', 'Y: \xe9');
  assert.equal(forwarded(bytes), bytes.toString('latin1'));
  const answer = message(['HTTP/1.1 299 Who  Knows', 'a: 1']);
  assert.equal(answered(answer), answer.toString('latin1'));
});

test('an empty line before a request is not forwarded', () => {
  const bytes = Buffer.concat([Buffer.from('\r\n'), get('X: 1')]);
  assert.equal(forwarded(bytes), get('X: 1').toString('latin1'));
});

// H4
test('dropped fields are left out wherever they are', () => {
  const bytes = message([
    'GET / HTTP/1.1',
    'Connection: A',
    'a: 1',
    'Host: a.test',
    'A: 2',
    'B: 3',
    'Keep-Alive: x',
  ]);
  const drop = hopByHopFields(accepted(bytes));
  assert.equal(forwarded(bytes, { drop }), text('GET / HTTP/1.1', 'Host: a.test', 'B: 3'));
});

test('Host is replaced in its place, and so is the target', () => {
  const bytes = message(['GET /a?b HTTP/1.1', 'X: 1', 'Host: a.test', 'Y: 2']);
  const edits = { host: 'b.test:81', target: '/c', drop: [0] };
  assert.equal(forwarded(bytes, edits), text('GET /c HTTP/1.1', 'Host: b.test:81', 'Y: 2'));
  assert.equal(
    forwarded(bytes, { host: 'b.test', drop: [1] }),
    text('GET /a?b HTTP/1.1', 'X: 1', 'Host: b.test', 'Y: 2'),
  );
});

test('what goes out is HTTP/1.1 in origin form', () => {
  assert.equal(
    forwarded(message(['GET / HTTP/1.0', 'X: 1']), { host: 'a.test' }),
    text('GET / HTTP/1.1', 'Host: a.test', 'X: 1'),
  );
  assert.equal(
    forwarded(message(['GET http://a.test?q HTTP/1.1', 'Host: a.test'])),
    text('GET /?q HTTP/1.1', 'Host: a.test'),
  );
  assert.equal(answered(message(['HTTP/1.0 200 OK', 'X: 1'])), text('HTTP/1.1 200 OK', 'X: 1'));
  assert.equal(answered(message(['HTTP/1.1 200', 'X: 1'])), text('HTTP/1.1 200 ', 'X: 1'));
  assert.equal(answered(message(['HTTP/1.1 204 ', 'A: 1', 'B: 2']), [0]), text('HTTP/1.1 204 ', 'B: 2'));
});

// H2
test('edits that would break out of their place are refused', () => {
  const bytes = get();
  const target = { message: 'the target has a forbidden character' };
  const host = { message: 'the host has a forbidden character' };
  for (const value of ['a\r\nb', 'a\nb', 'a\rb', 'a\0b', 'a\x7f', 'ā']) {
    assert.throws(() => forwarded(bytes, { target: `/${value}` }), target);
    assert.throws(() => forwarded(bytes, { host: value }), host);
  }
  for (const value of ['', '/a b', '/a#b']) assert.throws(() => forwarded(bytes, { target: value }), target);
  assert.throws(() => forwarded(bytes, { host: '' }), host);
});

// H4
test('what was written is read again as what was meant', () => {
  const name = fc.stringMatching(/^X-[a-z]{1,8}$/);
  const value = fc.stringMatching(/^[!-~]([ -~]{0,12}[!-~])?$/);
  const field = fc.tuple(name, value, fc.boolean());
  fc.assert(
    fc.property(fc.array(field, { maxLength: 40 }), (fields) => {
      const bytes = get(...fields.map(([key, text]) => `${key}: ${text}`));
      const drop = fields.flatMap(([, , isDropped], index) => (isDropped ? [index + 1] : []));
      const out = Buffer.from(forwarded(bytes, { drop, host: 'b.test' }), 'latin1');
      const again = new RequestParser(limits).parse(out, 0, out.length);
      assert.ok(again?.kind === 'request' && again.length === out.length);
      const kept = fields.filter(([, , isDropped]) => !isDropped).map(([key, text]) => [key, text]);
      const read = Array.from({ length: again.fieldCount }, (_, index) => [
        again.nameAt(index),
        again.valueAt(index),
      ]);
      assert.deepEqual(read, [['Host', 'b.test'], ...kept]);
    }),
  );
});
