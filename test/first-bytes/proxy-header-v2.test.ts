import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../src/base/crc32c.ts';
import { type ProxyHeader, parseProxyHeader } from '../../src/first-bytes/proxy-header-parser.ts';
import { concat, latin1, uint16, vector16 } from '../support/client-hellos.ts';

const signature = latin1('\r\n\r\n\0\r\nQUIT\n');
const ipv4Block = Uint8Array.of(192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb);
const tcp4 = { source: { ip: '192.0.2.1', port: 56324 }, destination: { ip: '198.51.100.2', port: 443 } };

function makeHeader(versionAndCommand: number, family: number, ...block: readonly Uint8Array[]): Uint8Array {
  return concat(signature, Uint8Array.of(versionAndCommand, family), vector16(concat(...block)));
}

function tlv(type: number, value: Uint8Array | string): Uint8Array {
  return concat(Uint8Array.of(type), vector16(typeof value === 'string' ? latin1(value) : value));
}

/** A TCP4 header with these TLVs and a right checksum as the last of them. */
function signed(...tlvs: readonly Uint8Array[]): Uint8Array {
  const bytes = makeHeader(0x21, 0x11, ipv4Block, ...tlvs, tlv(3, new Uint8Array(4)));
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32c(bytes));
  return bytes;
}

function parse(bytes: Uint8Array): ProxyHeader {
  const header = parseProxyHeader(bytes);
  assert.equal(header.kind, 'header', JSON.stringify(header));
  return header as ProxyHeader;
}

function whyInvalid(bytes: Uint8Array): string {
  const result = parseProxyHeader(bytes);
  return result.kind === 'invalid' ? result.why : result.kind;
}

// P2
test('a header is read only when whole, asks for what is missing, and leaves a fused payload alone', () => {
  const bytes = makeHeader(0x21, 0x11, ipv4Block, tlv(5, 'id'));
  for (let length = 0; length < bytes.length; length++) {
    const result = parseProxyHeader(bytes.subarray(0, length));
    assert.ok(
      result.kind === 'incomplete' && result.need > length && result.need <= bytes.length,
      String(length),
    );
    if (length >= 16) assert.equal(result.need, bytes.length);
  }
  const header = parse(concat(bytes, latin1('\x16\x03\x01 payload')));
  assert.equal(header.length, bytes.length);
  assert.deepEqual([header.version, header.command], [2, 'proxy']);
  assert.deepEqual({ source: header.source, destination: header.destination }, tcp4);
});

// P6
test('IPv6 addresses are written canonically, IPv4-mapped ones as IPv4', () => {
  const block = new Uint8Array(36);
  block.set([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  block.set([255, 255, 10, 0, 0, 9], 16 + 10);
  block.set([0, 1, 0xff, 0xff], 32);
  const header = parse(makeHeader(0x21, 0x21, block));
  assert.deepEqual(header.source, { ip: '2001:db8::1', port: 1 });
  assert.deepEqual(header.destination, { ip: '10.0.0.9', port: 65535 });
});

// P2
test('LOCAL is accepted with whatever it carries, and none of it is believed', () => {
  const blocks: [number, Uint8Array][] = [
    [0, new Uint8Array(0)],
    [0x11, ipv4Block],
    [0x11, concat(ipv4Block, tlv(2, 'a.test'))],
    [0xff, Uint8Array.of(1, 2, 3)],
  ];
  for (const [family, block] of blocks) {
    const header = parse(makeHeader(0x20, family, block));
    assert.deepEqual([header.command, header.source, header.destination], ['local', null, null]);
    assert.deepEqual([header.tlvs, header.length], [{ other: [] }, 16 + block.length]);
  }
});

// P2
test('AF_UNIX, AF_UNSPEC and datagrams are accepted without an address; their TLVs count', () => {
  const blocks: [number, Uint8Array][] = [
    [0x31, new Uint8Array(216).fill(0x41)],
    [0x32, new Uint8Array(216)],
    [0x00, new Uint8Array(0)],
    [0x12, ipv4Block],
    [0x10, ipv4Block],
    [0x22, new Uint8Array(36)],
  ];
  for (const [family, block] of blocks) {
    const header = parse(makeHeader(0x21, family, block, tlv(2, 'a.test')));
    assert.deepEqual([header.source, header.destination, header.tlvs.authority], [null, null, 'a.test']);
  }
});

const rejected: [string, Uint8Array, string][] = [
  ['version 1 in binary', makeHeader(0x11, 0x11, ipv4Block), 'unknown version'],
  ['version 3', makeHeader(0x31, 0x11, ipv4Block), 'unknown version'],
  ['an unknown command', makeHeader(0x22, 0x11, ipv4Block), 'unknown version 2 command'],
  ['an unknown family', makeHeader(0x21, 0x41, ipv4Block), 'unknown version 2 address family'],
  ['an unknown transport', makeHeader(0x21, 0x13, ipv4Block), 'unknown version 2 transport protocol'],
  [
    'too short for IPv4',
    makeHeader(0x21, 0x11, new Uint8Array(11)),
    'version 2 header shorter than its addresses',
  ],
  ['too short for IPv6', makeHeader(0x21, 0x21, ipv4Block), 'version 2 header shorter than its addresses'],
  ['too short for AF_UNIX', makeHeader(0x21, 0x31, ipv4Block), 'version 2 header shorter than its addresses'],
  [
    'over 16 KiB',
    concat(signature, Uint8Array.of(0x21, 0x11), uint16(16_369)),
    'version 2 header over 16384 bytes',
  ],
  [
    'with a TLV past the end',
    makeHeader(0x21, 0x11, ipv4Block, Uint8Array.of(4, 0, 9, 1)),
    'a TLV reaches past the end',
  ],
  ['with half a TLV', makeHeader(0x21, 0x11, ipv4Block, Uint8Array.of(4, 0)), 'a TLV reaches past the end'],
  ['with two authorities', makeHeader(0x21, 0x11, ipv4Block, tlv(2, 'a'), tlv(2, 'a')), 'a TLV comes twice'],
  [
    'with a unique id of 129 bytes',
    makeHeader(0x21, 0x11, ipv4Block, tlv(5, 'x'.repeat(129))),
    'unique id over 128 bytes',
  ],
  [
    'with an authority that is not UTF-8',
    makeHeader(0x21, 0x11, ipv4Block, tlv(2, '\xff')),
    'a TLV with text that is not',
  ],
  [
    'with a line break in the authority',
    makeHeader(0x21, 0x11, ipv4Block, tlv(2, 'a\nb')),
    'a TLV with text that is not',
  ],
  ['with a checksum of three bytes', makeHeader(0x21, 0x11, ipv4Block, tlv(3, 'abc')), 'wrong CRC32c'],
  ['with a short SSL TLV', makeHeader(0x21, 0x11, ipv4Block, tlv(0x20, '\x01\0\0\0')), 'SSL TLV too short'],
  [
    'with an inner TLV past the end',
    makeHeader(0x21, 0x11, ipv4Block, tlv(0x20, concat(new Uint8Array(5), Uint8Array.of(0x21, 0, 9)))),
    'a TLV reaches past the end',
  ],
];

for (const [what, bytes, why] of rejected) {
  // P2
  test(`a header ${what} is invalid, whatever comes after it`, () => {
    assert.equal(whyInvalid(bytes), why);
    assert.equal(whyInvalid(concat(bytes, latin1('GET / HTTP/1.1\r\n'))), why);
  });
}

// P2
test('a right checksum is accepted, and any bit that is changed is noticed', () => {
  const bytes = signed(tlv(5, 'some-id'), tlv(4, '\0\0\0'));
  assert.equal(parse(bytes).tlvs.crc32c, true);
  for (let at = 16; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at] = (changed[at] as number) ^ 1;
    const result = parseProxyHeader(changed);
    // In the checksum's own type and length the change may hide that there is a checksum at all.
    const hidden = result.kind === 'header' && result.tlvs.crc32c === undefined;
    assert.ok(result.kind === 'invalid' || (hidden && at === bytes.length - 7), String(at));
  }
});

// P2
test('every registered TLV is read, unknown ones are kept in order, NOOP is skipped', () => {
  const verified = concat(
    Uint8Array.of(3, 0, 0, 0, 0),
    ...[
      tlv(0x21, 'TLSv1.3'),
      tlv(0x22, 'J\xc3\xb6rg'),
      tlv(0x23, 'X'),
      tlv(0x24, 'RSA-SHA256'),
      tlv(0x25, 'RSA2048'),
    ],
    tlv(0x29, 'unknown'),
  );
  const list = [
    tlv(1, 'h2'),
    tlv(2, 'a.test'),
    tlv(4, 'pad'),
    tlv(5, '\0\xff'),
    tlv(0xe0, 'one'),
    tlv(0xe0, 'two'),
  ];
  const { tlvs } = parse(signed(...list, tlv(0x20, verified), tlv(0x30, 'blue')));
  assert.deepEqual(tlvs, {
    alpn: 'h2',
    authority: 'a.test',
    uniqueId: Uint8Array.of(0, 255),
    netns: 'blue',
    crc32c: true,
    ssl: {
      client: 3,
      verified: true,
      version: 'TLSv1.3',
      commonName: 'Jörg',
      cipher: 'X',
      signatureAlgorithm: 'RSA-SHA256',
      keyAlgorithm: 'RSA2048',
    },
    other: [
      { type: 0xe0, value: latin1('one') },
      { type: 0xe0, value: latin1('two') },
    ],
  });
});

test('a certificate is verified only if there was one and the result is 0', () => {
  const verified = (client: number, result: number) =>
    parse(makeHeader(0x21, 0x11, ipv4Block, tlv(0x20, Uint8Array.of(client, 0, 0, 0, result)))).tlvs.ssl
      ?.verified;
  assert.deepEqual(
    [verified(1, 0), verified(3, 0), verified(5, 0), verified(3, 1)],
    [false, true, true, false],
  );
});

test('a header shares no memory with the bytes that it was read from', () => {
  const bytes = signed(tlv(5, 'id'), tlv(0xe0, 'x'));
  const header = parse(bytes);
  bytes.fill(0xdd);
  assert.deepEqual(header.tlvs.uniqueId, latin1('id'));
  assert.deepEqual(header.tlvs.other[0]?.value, latin1('x'));
});
