import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { type SniffResult, sniffProtocol } from '../../src/first-bytes/protocol-sniff.ts';
import { latin1 } from '../support/client-hellos.ts';

/** What it is, and after how many bytes that is known. */
const cases: [string, string, SniffResult, number][] = [
  ['a ClientHello', '\x16\x03\x01\x02\x00', 'tls', 2],
  ['a record of another version', '\x16\x04', 'other', 2],
  ['an SSL 2 hello', '\x80\x2e\x01\x00\x02', 'other', 1],
  ['GET', 'GET / HTTP/1.1\r\n', 'http', 5],
  ['a request in absolute form', 'GET http://a.test/ HTTP/1.1', 'http', 8],
  ['CONNECT', 'CONNECT a.test:443 HTTP/1.1', 'http', 9],
  ['CONNECT to an IPv6 address', 'CONNECT [::1]:443 HTTP/1.1', 'http', 9],
  ['OPTIONS *', 'OPTIONS * HTTP/1.1', 'http', 9],
  ['an unregistered method', 'MY-OWN /x HTTP/1.1', 'http', 8],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http2', 5],
  ['a PROXY header, version 1', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n', 'proxy-header', 6],
  ['a PROXY header, version 2', '\r\n\r\n\0\r\nQUIT\n\x21', 'proxy-header', 12],
  ['a word that begins like PROXY', 'PROXYING / HTTP/1.1', 'http', 10],
  ['a method in small letters', 'get / HTTP/1.1', 'other', 1],
  ['an empty line first', '\r\nGET / HTTP/1.1', 'other', 3],
  ['an SSH client', 'SSH-2.0-OpenSSH_9.2', 'other', 5],
  ['SMTP', 'EHLO a.test\r\n', 'other', 6],
  ['SMTP to a host in h', 'EHLO host.test\r\n', 'other', 7],
  ['Redis, inline', 'GET key\r\n', 'other', 5],
  ['Redis', '*1\r\n$4\r\nPING\r\n', 'other', 1],
  ['PostgreSQL asking for TLS', '\0\0\0\x08\x04\xd2\x16\x2f', 'other', 1],
  ['a bare line', 'QUIT\r\n', 'other', 5],
  ['two spaces', 'GET  / HTTP/1.1', 'other', 5],
  ['capitals without end', 'X'.repeat(100), 'other', 21],
];

for (const [what, text, expected, needed] of cases) {
  // T10
  test(`${what} is ${expected} after ${needed} bytes, and undecided before`, () => {
    const bytes = latin1(text);
    for (let length = 0; length <= bytes.length; length++) {
      assert.equal(
        sniffProtocol(bytes.subarray(0, length)),
        length < needed ? 'undecided' : expected,
        `${length} bytes`,
      );
    }
  });
}

test('every method that Node knows is HTTP', () => {
  for (const method of METHODS) {
    const target = method === 'CONNECT' ? 'a.test:1' : '/';
    assert.equal(sniffProtocol(latin1(`${method} ${target} HTTP/1.1`)), 'http', method);
  }
});

test('more bytes never change a decision, and 26 always suffice', () => {
  const words = fc.constantFrom(
    'GET ',
    'PROXY',
    '\r\n\r\n\0',
    '\x16',
    'PRI * ',
    'http',
    '/',
    ' ',
    'QUIT',
    'CONNECT ',
  );
  const anything = fc
    .array(fc.oneof(words, fc.string({ unit: 'binary-ascii' })))
    .map((parts) => latin1(parts.join('')));
  fc.assert(
    fc.property(anything, (bytes) => {
      let decided: SniffResult = 'undecided';
      for (let length = 0; length <= bytes.length; length++) {
        const result = sniffProtocol(bytes.subarray(0, length));
        if (decided !== 'undecided') assert.equal(result, decided);
        decided = result;
        assert.ok(decided !== 'undecided' || length < 26);
      }
    }),
    { numRuns: 2000 },
  );
});
