import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ProxyHeader, parseProxyHeader } from '../../src/first-bytes/proxy-header-parser.ts';
import { concat, latin1 } from '../support/client-hellos.ts';

/** Also checks that nothing is decided before the last byte that matters, nor changed after it. */
function parseEveryWay(line: string): ProxyHeader {
  const bytes = latin1(line);
  for (let length = 0; length < bytes.length; length++) {
    const result = parseProxyHeader(bytes.subarray(0, length));
    assert.ok(result.kind === 'incomplete', `${length}: ${JSON.stringify(result)}`);
    assert.ok(result.need > length && result.need <= bytes.length);
  }
  const header = parseProxyHeader(bytes);
  assert.equal(header.kind, 'header', JSON.stringify(header));
  assert.deepEqual(parseProxyHeader(concat(bytes, latin1('\r\n\x16\x03'))), header);
  return header as ProxyHeader;
}

const accepted: [string, string, ProxyHeader['source'], ProxyHeader['destination']][] = [
  [
    'TCP4',
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n',
    { ip: '192.0.2.1', port: 56324 },
    { ip: '198.51.100.2', port: 443 },
  ],
  [
    'TCP6',
    'PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n',
    { ip: '2001:db8::1', port: 0 },
    { ip: '::1', port: 65535 },
  ],
  [
    'TCP6 at its longest',
    `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`,
    { ip: `${'ffff:'.repeat(7)}ffff`, port: 65535 },
    { ip: `${'ffff:'.repeat(7)}ffff`, port: 65535 },
  ],
  ['UNKNOWN', 'PROXY UNKNOWN\r\n', null, null],
  ['UNKNOWN with addresses, which are ignored', 'PROXY UNKNOWN 1.1.1.1 2.2.2.2 1 2\r\n', null, null],
  ['UNKNOWN with anything, up to 107 bytes', `PROXY UNKNOWN ${'\xff'.repeat(91)}\r\n`, null, null],
];

for (const [what, line, source, destination] of accepted) {
  // P1
  test(`${what} is accepted, only once it is whole, and ends where it ends`, () => {
    const header = parseEveryWay(line);
    assert.deepEqual(header, {
      kind: 'header',
      version: 1,
      length: line.length,
      command: 'proxy',
      source,
      destination,
      tlvs: { other: [] },
    });
  });
}

// P6
test('an IPv4 address in IPv6 form is the IPv4 address', () => {
  const header = parseEveryWay('PROXY TCP6 ::ffff:192.0.2.1 ::FFFF:c633:6402 1 2\r\n');
  assert.deepEqual(header.source, { ip: '192.0.2.1', port: 1 });
  assert.deepEqual(header.destination, { ip: '198.51.100.2', port: 2 });
});

const rejected: [string, string][] = [
  ['107 bytes without CRLF', `PROXY UNKNOWN ${'x'.repeat(93)}`],
  ['CRLF from the 107th byte on', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`],
  ['a bare LF', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n'],
  ['a bare CR', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rx'],
  ['an LF inside UNKNOWN', 'PROXY UNKNOWN \n\r\n'],
  ['a word that begins like UNKNOWN', 'PROXY UNKNOWNS\r\n'],
  ['another protocol', 'PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n'],
  ['small letters', 'PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n'],
  ['no fields', 'PROXY \r\n'],
  ['a missing field', 'PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n'],
  ['one field too many', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n'],
  ['two spaces', 'PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n'],
  ['a trailing space', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n'],
  ['a tab', 'PROXY TCP4\t1.1.1.1 2.2.2.2 1 2\r\n'],
  ['an IPv6 address in TCP4', 'PROXY TCP4 ::1 2.2.2.2 1 2\r\n'],
  ['an IPv4 address in TCP6', 'PROXY TCP6 ::1 2.2.2.2 1 2\r\n'],
  ['an octal part', 'PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n'],
  ['a part over 255', 'PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n'],
  ['a zone', 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n'],
  ['brackets', 'PROXY TCP6 [::1] ::1 1 2\r\n'],
  ['a name', 'PROXY TCP4 localhost 2.2.2.2 1 2\r\n'],
  ['a port over 65535', 'PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n'],
  ['a port with a leading zero', 'PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n'],
  ['a signed port', 'PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n'],
  ['a negative port', 'PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n'],
  ['a hexadecimal port', 'PROXY TCP4 1.1.1.1 2.2.2.2 0x1 2\r\n'],
  ['an empty port', 'PROXY TCP4 1.1.1.1 2.2.2.2  2\r\n'],
];

for (const [what, line] of rejected) {
  // P1
  test(`${what} is invalid`, () => {
    const result = parseProxyHeader(latin1(line));
    assert.equal(result.kind, 'invalid', JSON.stringify(result));
    assert.deepEqual(parseProxyHeader(latin1(`${line}\r\nmore`)), result);
  });
}

test('what does not begin like a header of either version is none, at its first wrong byte', () => {
  for (const text of [
    'G',
    '\x16',
    'PROXX',
    'PROXY\t',
    'PRI',
    '\r\r',
    '\r\n\r\n\x01',
    '\r\n\r\n\0\r\nQUIT\r',
  ]) {
    const bytes = latin1(text);
    assert.equal(parseProxyHeader(bytes).kind, 'not-proxy', JSON.stringify(text));
    assert.equal(parseProxyHeader(bytes.subarray(0, -1)).kind, 'incomplete', JSON.stringify(text));
  }
});
