import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyScanner } from '../../../src/network-proxy/http1/body-scanner.ts';
import type { Framing } from '../../../src/network-proxy/http1/framing.ts';
import type { HeadLimits } from '../../../src/network-proxy/http1/head-limits.ts';
import { limits } from './reading.ts';

interface Told {
  /** How many bytes were taken for the body. */
  taken: number;
  ended: boolean;
  refused: string | null;
  contentBytes: number;
}

/** Gives a body to a scanner in pieces that end at `cuts`, as long as it takes all of them. */
function follow(
  framing: Framing,
  bytes: Uint8Array,
  cuts: readonly number[],
  bounds: HeadLimits = limits,
): Told {
  const scanner = new BodyScanner(bounds);
  scanner.start(framing);
  let taken = 0;
  for (const end of [...cuts, bytes.length]) {
    if (end <= taken) continue;
    taken = scanner.scan(bytes, taken, end);
    if (taken < end || scanner.refused !== null) break;
  }
  return { taken, ended: scanner.ended, refused: scanner.refused, contentBytes: scanner.contentBytes };
}

const everyByte = (bytes: Uint8Array): number[] => Array.from(bytes, (_, index) => index + 1);

/** A chunked body, whole and byte by byte, which must not make a difference. */
function chunked(text: string, bounds = limits): Told {
  const bytes = Buffer.from(text, 'latin1');
  const framing: Framing = { kind: 'chunked', bytes: 0 };
  const whole = follow(framing, bytes, [], bounds);
  assert.deepEqual(follow(framing, bytes, everyByte(bytes), bounds), whole);
  return whole;
}

function refusal(text: string, bounds = limits): string | null {
  return chunked(text, bounds).refused;
}

// H5
test('a chunked body ends after its trailers, and what follows is left to the next message', () => {
  const body = '5\r\nhello\r\nA;x;y=1;z="a\\"b"\r\n0123456789\r\n00\r\nX-Sum: 1\r\nY:\r\n\r\n';
  assert.deepEqual(chunked(`${body}GET / HTTP`), {
    taken: body.length,
    ended: true,
    refused: null,
    contentBytes: 15,
  });
  assert.equal(chunked(body.slice(0, -1)).ended, false);
  assert.equal(chunked('0\r\n\r\n').taken, 5);
  assert.equal(chunked(`1Fe\r\n${'x'.repeat(0x1fe)}\r\n0\r\n\r\n`).contentBytes, 510);
});

// H2
test('chunk sizes and their lines are strict', () => {
  for (const text of [
    '\r\n',
    'g\r\n',
    '-1\r\n',
    '0x5\r\n',
    ' 5\r\n',
    '5 \r\n',
    '5\t\r\n',
    '+5\r\n',
    '1_0\r\n',
    '5,\r\n',
  ]) {
    assert.equal(refusal(text), 'chunk-size', JSON.stringify(text));
  }
  assert.equal(refusal('fffffffffffff\r\n'), null);
  for (const text of ['10000000000000', 'ffffffffffffffff', '00000000000005']) {
    assert.equal(refusal(`${text}\r\n`), 'chunk-too-large');
  }
  for (const text of ['5\n', '5;a\n', '5;\n', '5;a=\n', '5;a="\n', '5;a="x"\n'])
    assert.equal(refusal(text), 'bare-lf', text);
  for (const text of ['5\r5', '1\r\na\ra', '0\r\n\r\r', '0\r\nX: 1\rY'])
    assert.equal(refusal(text), 'bare-cr', text);
  for (const text of ['1\r\nab', '1\r\na\n', '3\r\nab\r\n0\r\n\r\n'])
    assert.equal(refusal(text), 'chunk-end', text);
});

// H2
test('chunk extensions are well-formed and bounded', () => {
  for (const text of [
    ';',
    ';;',
    ';=',
    '; a',
    ';a =1',
    ';a= 1',
    ';a="b',
    ';a="b"c',
    ';a=b c',
    ';a="\0"',
    ';a="\\\0"',
    ';(',
  ]) {
    assert.equal(refusal(`1${text}\r\n`), 'chunk-extension', text);
  }
  const extension = (bytes: number): string => `1;${'a'.repeat(bytes - 2)}\r\nx\r\n0\r\n\r\n`;
  assert.equal(refusal(extension(1024)), null);
  assert.equal(refusal(extension(1025)), null);
  assert.equal(refusal(extension(1026)), 'extension-too-long');
});

// H2, H5
test('trailers obey the rules of fields, and have no framing', () => {
  const trailers = (lines: string): string | null => refusal(`0\r\n${lines}\r\n\r\n`);
  assert.equal(trailers('X: 1\r\nTransfer-Encodings: x\r\nETag: "a"'), null);
  for (const name of ['Content-Length', 'transfer-encoding', 'HOST', 'Connection', 'Trailer', 'Upgrade']) {
    assert.equal(trailers(`${name}: 1`), 'trailer-forbidden', name);
  }
  assert.equal(trailers(': 1'), 'field-name');
  assert.equal(trailers('X'), 'field-name');
  assert.equal(trailers('X : 1'), 'space-before-colon');
  assert.equal(trailers('X: 1\r\n 2'), 'folded-line');
  assert.equal(trailers('X: \0'), 'field-value');
  assert.equal(trailers('X: 1\nY: 2'), 'bare-lf');
  assert.equal(refusal('0\r\nX: 1\r\n\r\n', { headerBytes: 8 }), null);
  assert.equal(refusal('0\r\nX: 12\r\n\r\n', { headerBytes: 8 }), 'head-too-large');
  assert.equal(refusal('0\r\nX: 1\r\nY: 1\r\n\r\n', { headerBytes: 99, fields: 1 }), 'too-many-fields');
});

// H5
test('bodies of a length, without one, and until the end of the connection', () => {
  const bytes = Buffer.from('hello world');
  const five = { taken: 5, ended: true, refused: null, contentBytes: 5 };
  assert.deepEqual(follow({ kind: 'length', bytes: 5 }, bytes, []), five);
  assert.deepEqual(follow({ kind: 'length', bytes: 5 }, bytes, everyByte(bytes)), five);
  assert.equal(follow({ kind: 'length', bytes: 12 }, bytes, []).ended, false);
  assert.deepEqual(follow({ kind: 'none', bytes: 0 }, bytes, []), { ...five, taken: 0, contentBytes: 0 });
  assert.deepEqual(follow({ kind: 'until-close', bytes: 0 }, bytes, [3]), {
    taken: 11,
    ended: false,
    refused: null,
    contentBytes: 11,
  });
});

test('a scanner serves one body after the other', () => {
  const scanner = new BodyScanner(limits);
  const body = Buffer.from('1\r\na\r\n0\r\n\r\n');
  for (let count = 0; count < 3; count++) {
    scanner.start({ kind: 'chunked', bytes: 0 });
    assert.equal(scanner.ended, false);
    assert.equal(scanner.scan(body, 0, body.length), body.length);
    assert.equal(scanner.ended, true);
    assert.equal(scanner.contentBytes, 1);
  }
  scanner.start({ kind: 'chunked', bytes: 0 });
  scanner.scan(Buffer.from('x'), 0, 1);
  assert.equal(scanner.refused, 'chunk-size');
  scanner.start({ kind: 'length', bytes: 1 });
  assert.equal(scanner.refused, null);
});

// H5
test('any content in any chunks ends where it ends, however it is cut', () => {
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300, size: 'max' }), { maxLength: 8 });
  fc.assert(
    fc.property(
      chunks,
      fc.array(fc.nat(2000), { maxLength: 10 }),
      fc.uint8Array({ maxLength: 9 }),
      (parts, cuts, rest) => {
        const lines = parts.flatMap((part) => [
          Buffer.from(`${part.length.toString(16)}\r\n`),
          part,
          Buffer.from('\r\n'),
        ]);
        const body = Buffer.concat([...lines, Buffer.from('0\r\n\r\n')]);
        const bytes = Buffer.concat([body, rest]);
        const told = follow(
          { kind: 'chunked', bytes: 0 },
          bytes,
          cuts.sort((a, b) => a - b),
        );
        const contentBytes = parts.reduce((sum, part) => sum + part.length, 0);
        assert.deepEqual(told, { taken: body.length, ended: true, refused: null, contentBytes });
      },
    ),
  );
});
