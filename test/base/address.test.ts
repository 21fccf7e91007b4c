import assert from 'node:assert/strict';
import { isIP, SocketAddress } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  formatAddress,
  formatCidr,
  isLoopback,
  normalizeAddress,
  parseAddress,
  parseCidr,
} from '../../src/base/address.ts';

/** Addresses in many spellings, and texts that look like addresses. */
const addressLike = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.ipV6().map((text) => text.toUpperCase()),
  fc.ipV4().map((text) => `::ffff:${text}`),
  fc
    .array(
      fc.constantFrom(
        '0',
        '00',
        '1',
        'ffff',
        'FFFF',
        'abcde',
        ':',
        '::',
        '.',
        '%',
        'eth0',
        '255',
        '256',
        '1.2.3.4',
      ),
      {
        maxLength: 17,
      },
    )
    .map((parts) => parts.join('')),
);

describe('normalizeAddress', () => {
  it('leaves a plain IPv4 address as it is', () => {
    assert.equal(normalizeAddress('10.0.0.1'), '10.0.0.1');
    assert.equal(normalizeAddress('255.255.255.255'), '255.255.255.255');
  });

  // P6
  it('gives an IPv4-mapped address as its IPv4 address, however it is spelled', () => {
    for (const text of ['::ffff:10.0.0.1', '::FFFF:10.0.0.1', '::ffff:a00:1', '0:0:0:0:0:ffff:0a00:0001']) {
      assert.equal(normalizeAddress(text), '10.0.0.1', text);
    }
  });

  it('writes IPv6 as RFC 5952 does', () => {
    const spelled: [string, string][] = [
      ['2001:0DB8::0001', '2001:db8::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['0:0:0:0:0:0:0:0', '::'],
      ['1::', '1::'],
      ['::1', '::1'],
      ['0:0:1:0:0:0:0:0', '0:0:1::'],
      ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ];
    for (const [text, canonical] of spelled) assert.equal(normalizeAddress(text), canonical, text);
  });

  it('drops zone ids', () => {
    assert.equal(normalizeAddress('fe80::1%eth0'), 'fe80::1');
    assert.equal(normalizeAddress('fe80::1%'), undefined);
    assert.equal(normalizeAddress('10.0.0.1%eth0'), undefined);
  });

  it('refuses what is not an address', () => {
    const wrong = [
      '',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '01.2.3.4',
      '256.1.1.1',
      '1.2.3.4 ',
      ' 1.2.3.4',
      '1..2.3',
      'a.b.c.d',
    ];
    const wrong6 = [
      ':',
      ':::',
      '1::2::3',
      '12345::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7::8',
      'g::',
      '::1.2.3',
    ];
    const edges = [':1::', '1:', '::1:', '1.2.3.4::', '::1.2.3.4:1', '[::1]', '1:2:3:4:5:6:7:1.2.3.4'];
    for (const text of [...wrong, ...wrong6, ...edges]) assert.equal(normalizeAddress(text), undefined, text);
  });

  it('agrees with Node on what an address is and on what it means', () => {
    fc.assert(
      fc.property(addressLike, (text) => {
        const family = text.includes('%') ? isIP(text.replace(/%.*$/, '')) : isIP(text);
        const normal = normalizeAddress(text);
        if (text.includes('%')) return;
        assert.equal(normal !== undefined, family !== 0, text);
        if (normal === undefined) return;
        assert.equal(normalizeAddress(normal), normal);
        const oracle = new SocketAddress({ address: text, family: family === 4 ? 'ipv4' : 'ipv6' }).address;
        assert.equal(normalizeAddress(oracle), normal);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseAddress and formatAddress', () => {
  it('give bytes in network order', () => {
    assert.deepEqual(parseAddress('1.2.3.4'), { family: 4, bytes: Uint8Array.of(1, 2, 3, 4) });
    assert.deepEqual(parseAddress('2001:db8::1')?.bytes.slice(0, 4), Uint8Array.of(0x20, 0x01, 0x0d, 0xb8));
    assert.equal(parseAddress('example.test'), undefined);
  });

  it('undo each other', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseAddress(text);
        assert.ok(address);
        assert.equal(formatAddress(address.bytes), normalizeAddress(text));
      }),
    );
    // P6
    assert.equal(
      formatAddress(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1)),
      '10.0.0.1',
    );
  });
});

describe('parseCidr', () => {
  const canonical = (text: string): string | undefined => {
    const cidr = parseCidr(text);
    return cidr && formatCidr(cidr);
  };

  it('clears the bits after the prefix', () => {
    assert.equal(canonical('10.1.2.3/8'), '10.0.0.0/8');
    assert.equal(canonical('10.1.2.255/31'), '10.1.2.254/31');
    assert.equal(canonical('1.2.3.4/0'), '0.0.0.0/0');
    assert.equal(canonical('2001:db8:ffff::1/33'), '2001:db8:8000::/33');
    assert.equal(canonical('::/0'), '::/0');
  });

  it('takes an address alone as a block of one', () => {
    assert.equal(canonical('10.1.2.3'), '10.1.2.3/32');
    assert.equal(canonical('2001:DB8::1'), '2001:db8::1/128');
  });

  // P6
  it('makes blocks of IPv4-mapped addresses IPv4', () => {
    assert.equal(canonical('::ffff:10.0.0.1'), '10.0.0.1/32');
    assert.equal(canonical('::ffff:10.0.0.1/104'), '10.0.0.0/8');
    assert.equal(canonical('::ffff:0:0/96'), '0.0.0.0/0');
    assert.equal(canonical('::ffff:0:0/95'), '::fffe:0:0/95');
  });

  it('refuses what is not a block', () => {
    for (const text of [
      '',
      '/8',
      '10.0.0.0/',
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/08',
      '10.0.0.0/-1',
      '10.0.0.0/8/8',
      '10.0.0.0/ 8',
      'a/8',
    ]) {
      assert.equal(parseCidr(text), undefined, text);
    }
  });
});

describe('isLoopback', () => {
  it('knows 127.0.0.0/8, ::1 and their mapped forms', () => {
    for (const text of ['127.0.0.1', '127.255.0.3', '::1', '::ffff:127.0.0.1'])
      assert.equal(isLoopback(text), true, text);
    for (const text of ['128.0.0.1', '::', '::2', '1::1', 'localhost', ''])
      assert.equal(isLoopback(text), false, text);
  });
});
