import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { normalizeAddress } from '../../src/base/address.ts';
import { type ProxyHeader, parseProxyHeader } from '../../src/first-bytes/proxy-header-parser.ts';
import { encodeProxyHeader } from '../../src/transport/proxy-header.ts';
import { concat, latin1 } from '../support/client-hellos.ts';

const v4 = { ip: '192.0.2.1', port: 50412 };
const v6 = { ip: '2001:db8::1', port: 443 };
const unix = { ip: '', port: 0 };

function parse(bytes: Uint8Array): ProxyHeader {
  const header = parseProxyHeader(concat(bytes, latin1('payload')));
  assert.equal(header.kind, 'header', JSON.stringify(header));
  return header as ProxyHeader;
}

test('version 1 is the line of the specification', () => {
  const line = (source: typeof v4, destination: typeof v4) =>
    String.fromCharCode(...encodeProxyHeader(1, { source, destination }));
  assert.equal(line(v4, { ip: '10.0.0.1', port: 443 }), 'PROXY TCP4 192.0.2.1 10.0.0.1 50412 443\r\n');
  assert.equal(line(v6, v6), 'PROXY TCP6 2001:db8::1 2001:db8::1 443 443\r\n');
  assert.equal(line(v4, v6), 'PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 50412 443\r\n');
  assert.equal(line(v4, unix), 'PROXY UNKNOWN\r\n');
});

test('version 2 is the bytes of the specification', () => {
  const bytes = encodeProxyHeader(2, {
    source: v4,
    destination: { ip: '10.0.0.1', port: 443 },
    tlvs: { alpn: 'h2' },
  });
  assert.equal(
    Buffer.from(bytes).toString('hex'),
    '0d0a0d0a000d0a515549540a' + '21110011' + 'c00002010a000001' + 'c4ec01bb' + '0100026832',
  );
});

test('a unix socket has no address to tell: LOCAL, which every receiver takes', () => {
  const bytes = encodeProxyHeader(2, {
    source: unix,
    destination: v4,
    tlvs: { authority: 'a.test', crc32c: true },
  });
  assert.equal(bytes.length, 16);
  assert.deepEqual([parse(bytes).command, parse(bytes).source], ['local', null]);
});

const ip = fc.oneof(
  fc.ipV4(),
  fc.ipV6().map((text) => normalizeAddress(text) as string),
);
const endpoint = fc.record({ ip, port: fc.integer({ min: 0, max: 65_535 }) }, { noNullPrototype: true });
const tlvs = fc.record(
  {
    alpn: fc.constantFrom('h2', 'http/1.1', 'acme-tls/1'),
    authority: fc.domain(),
    uniqueId: fc.uint8Array({ maxLength: 128 }),
    crc32c: fc.boolean(),
    other: fc.array(
      fc.record(
        { type: fc.integer({ min: 0xe0, max: 0xef }), value: fc.uint8Array() },
        { noNullPrototype: true },
      ),
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
);

// P1, P2, P6
test('whatever is encoded is read back the same, in either version and any mix of families', () => {
  fc.assert(
    fc.property(endpoint, endpoint, tlvs, (source, destination, sent) => {
      for (const version of [1, 2] as const) {
        const bytes = encodeProxyHeader(version, { source, destination, tlvs: sent });
        const header = parse(bytes);
        assert.deepEqual([header.version, header.command, header.length], [version, 'proxy', bytes.length]);
        assert.deepEqual([header.source, header.destination], [source, destination]);
        if (version === 1) continue;
        const { crc32c: signed, ...rest } = { other: [], ...sent };
        assert.deepEqual(header.tlvs, signed ? { ...rest, crc32c: true } : rest);
      }
    }),
    { numRuns: 1000 },
  );
});

test('a unique id may be text; what could not be read is refused here', () => {
  const encode = (uniqueId: string, value = new Uint8Array(0)) =>
    encodeProxyHeader(2, { source: v4, destination: v4, tlvs: { uniqueId, other: [{ type: 0xe0, value }] } });
  assert.deepEqual(parse(encode('conn-1')).tlvs.uniqueId, latin1('conn-1'));
  assert.throws(() => encode('x'.repeat(129)), RangeError);
  assert.throws(() => encode('x', new Uint8Array(65_536)), RangeError);
  assert.throws(() => encode('x', new Uint8Array(65_535)), RangeError);
});
