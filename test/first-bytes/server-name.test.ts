import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseServerName } from '../../src/first-bytes/server-name.ts';
import { concat, latin1, serverNameExtension, uint16, vector16 } from '../support/client-hellos.ts';

const longLabel = 'x'.repeat(63);
const longestName = `${longLabel}.${longLabel}.${longLabel}.${'y'.repeat(61)}`;

/** What a client may send as its name, and what it is taken for: a name, no name (null), or invalid. */
const names: [string, string, string | null | undefined][] = [
  ['a plain name', 'a.test', 'a.test'],
  ['mixed case', 'WwW.A.TeSt', 'www.a.test'],
  ['one trailing dot', 'a.test.', 'a.test'],
  ['a single label', 'localhost', 'localhost'],
  ['punycode', 'xn--bcher-kva.test', 'xn--bcher-kva.test'],
  ['an underscore and hyphens anywhere', '_x.-a-.test', '_x.-a-.test'],
  ['digits, not in the last label', '1.2.3.x4', '1.2.3.x4'],
  ['a name of 253 characters', longestName, longestName],
  ['and its trailing dot', `${longestName}.`, longestName],
  ['an IPv4 address', '192.0.2.1', null],
  ['an IPv4 address with a dot', '192.0.2.1.', null],
  ['an IPv6 address', '2001:DB8::1', null],
  ['an empty name', '', undefined],
  ['a dot alone', '.', undefined],
  ['two trailing dots', 'a.test..', undefined],
  ['an empty label', 'a..test', undefined],
  ['a leading dot', '.a.test', undefined],
  ['NUL', 'a.test\0.b.test', undefined],
  ['UTF-8', 'b\xc3\xbccher.test', undefined],
  ['a space', 'a .test', undefined],
  ['a line break', 'a.test\r\nevent: x', undefined],
  ['an escape sequence', '\x1b[2Ja.test', undefined],
  ['a wildcard', '*.a.test', undefined],
  ['a port', 'a.test:443', undefined],
  ['brackets', '[::1]', undefined],
  ['a path', 'a.test/x', undefined],
  ['a label of 64 characters', `${longLabel}x.test`, undefined],
  ['a name of 254 characters', `${longestName}y`, undefined],
  ['a last label of digits', 'a.123', undefined],
  ['what is nearly an address', '1.2.3.256', undefined],
];

for (const [what, sent, expected] of names) {
  const outcome = expected === undefined ? 'invalid' : expected === null ? 'no name' : 'a name';
  // T6
  test(`${what} is ${outcome}`, () => {
    assert.equal(parseServerName(serverNameExtension(sent)[1]), expected);
  });
}

const entry = (type: number, name: string) => concat(Uint8Array.of(type), vector16(latin1(name)));

const malformed: [string, Uint8Array][] = [
  ['an empty extension', new Uint8Array(0)],
  ['an empty list', vector16(new Uint8Array(0))],
  ['two names', vector16(concat(entry(0, 'a.test'), entry(0, 'b.test')))],
  ['the same name twice', vector16(concat(entry(0, 'a.test'), entry(0, 'a.test')))],
  ['a name of another type', vector16(entry(1, 'a.test'))],
  ['a name and one of another type', vector16(concat(entry(0, 'a.test'), entry(1, 'x')))],
  ['bytes after the list', concat(vector16(entry(0, 'a.test')), Uint8Array.of(0))],
  ['a list longer than the extension', concat(uint16(99), entry(0, 'a.test'))],
  ['a name longer than the list', vector16(concat(Uint8Array.of(0), uint16(99), latin1('a.test')))],
  ['a name shorter than the list', vector16(concat(entry(0, 'a.test'), Uint8Array.of(0x61)))],
];

for (const [what, extension] of malformed) {
  // T6
  test(`${what} is invalid, never "no name"`, () => assert.equal(parseServerName(extension), undefined));
}

// T6
test('whatever comes, a name that is returned is safe to log and already normal', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.domain(), fc.ipV4(), fc.ipV6(), fc.webAuthority());
  fc.assert(
    fc.property(texts, (text) => {
      const name = parseServerName(serverNameExtension(new TextEncoder().encode(text))[1]);
      if (typeof name !== 'string') return;
      assert.match(name, /^[a-z0-9_.-]{1,253}$/);
      assert.equal(parseServerName(serverNameExtension(name)[1]), name);
    }),
    { numRuns: 2000 },
  );
});

test('every domain that is one is taken', () => {
  fc.assert(
    fc.property(fc.domain(), (domain) => {
      assert.equal(parseServerName(serverNameExtension(domain.toUpperCase())[1]), domain.toLowerCase());
    }),
  );
});
