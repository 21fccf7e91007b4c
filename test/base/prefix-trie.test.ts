import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatCidr, parseAddress, parseCidr } from '../../src/base/address.ts';
import { AddressSet, PrefixTrie } from '../../src/base/prefix-trie.ts';

/** Few distinct bits, so that blocks nest and addresses fall into them. */
const ipv4 = fc
  .tuple(...Array.from({ length: 4 }, () => fc.constantFrom(0, 1, 128, 255)))
  .map((parts) => parts.join('.'));
const ipv6 = fc
  .tuple(...Array.from({ length: 8 }, () => fc.constantFrom('0', '1', '8000', 'fffe')))
  .map((parts) => parts.join(':'));
const block = fc.oneof(
  fc.tuple(ipv4, fc.nat(32)).map(([address, prefix]) => `${address}/${prefix}`),
  fc.tuple(ipv6, fc.nat(128)).map(([address, prefix]) => `${address}/${prefix}`),
);

function naiveLookup(blocks: readonly string[], address: string): string | undefined {
  const wanted = parseAddress(address);
  assert.ok(wanted);
  let best: { prefix: number; text: string } | undefined;
  for (const text of blocks) {
    const cidr = parseCidr(text);
    assert.ok(cidr);
    if (cidr.family !== wanted.family) continue;
    const bits = (bytes: Uint8Array): string =>
      [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
    if (!bits(wanted.bytes).startsWith(bits(cidr.bytes).slice(0, cidr.prefix))) continue;
    if (best === undefined || cidr.prefix > best.prefix)
      best = { prefix: cidr.prefix, text: formatCidr(cidr) };
  }
  return best?.text;
}

describe('PrefixTrie', () => {
  it('finds the longest block that holds an address, as a search through all of them does', () => {
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 40 }),
        fc.array(fc.oneof(ipv4, ipv6), { minLength: 1 }),
        (blocks, addresses) => {
          const trie = new PrefixTrie<string>();
          for (const text of blocks) {
            const cidr = parseCidr(text);
            assert.ok(cidr);
            trie.set(cidr, formatCidr(cidr));
            assert.equal(trie.get(cidr), formatCidr(cidr));
          }
          assert.equal(trie.size, new Set(blocks.map((text) => formatCidr(parseCidr(text)!))).size);
          for (const address of addresses) assert.equal(trie.lookup(address), naiveLookup(blocks, address));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('replaces the value of a block that is set twice', () => {
    const trie = new PrefixTrie<number>();
    trie.set(parseCidr('10.0.0.0/8')!, 1);
    trie.set(parseCidr('10.0.0.0/8')!, 2);
    assert.equal(trie.lookup('10.1.1.1'), 2);
    assert.equal(trie.size, 1);
  });

  it('has nothing for a block that only joins two others', () => {
    const trie = new PrefixTrie<number>();
    trie.set(parseCidr('10.0.0.0/16')!, 1);
    trie.set(parseCidr('10.1.0.0/16')!, 2);
    assert.equal(trie.get(parseCidr('10.0.0.0/15')!), undefined);
    assert.equal(trie.lookup('10.2.0.0'), undefined);
  });

  it('keeps IPv4 and IPv6 apart', () => {
    const all6 = new AddressSet(['::/0']);
    assert.equal(all6.has('1.2.3.4'), false);
    assert.equal(all6.has('::1'), true);
    // P6
    assert.equal(new AddressSet(['10.0.0.0/8']).has('::ffff:10.2.3.4'), true);
    assert.equal(new AddressSet(['::ffff:10.0.0.0/104']).has('10.2.3.4'), true);
  });
});

describe('AddressSet', () => {
  it('agrees with the block list of Node inside one family', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 20 }), fc.oneof(ipv4, ipv6), (blocks, address) => {
        const family = address.includes(':') ? 'ipv6' : 'ipv4';
        const oracle = new BlockList();
        for (const text of blocks.filter((text) => text.includes(':') === address.includes(':'))) {
          oracle.addSubnet(
            text.slice(0, text.indexOf('/')),
            Number(text.slice(text.indexOf('/') + 1)),
            family,
          );
        }
        assert.equal(new AddressSet(blocks).has(address), oracle.check(address, family));
      }),
    );
  });

  it('is empty without blocks, and holds nothing that is not an address', () => {
    assert.equal(new AddressSet([]).size, 0);
    assert.equal(new AddressSet(['0.0.0.0/0', '::/0']).has('a.test'), false);
    assert.equal(new AddressSet(['0.0.0.0/0', '::/0']).has(''), false);
  });
});
