import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  allAddresses,
  formatRange,
  rangeOf,
  rangesOf,
  widestRanges,
} from '../../src/nftables/address-ranges.ts';

function texts(cidrs: string[], family: 4 | 6): string[] {
  return rangesOf(cidrs, family).map((range) => formatRange(range, family));
}

test('blocks that overlap or touch become one range', () => {
  assert.deepEqual(texts(['10.0.0.0/8', '10.1.0.0/16', '11.0.0.0/8'], 4), ['10.0.0.0/7']);
  assert.deepEqual(texts(['10.0.0.3', '10.0.0.1', '10.0.0.2'], 4), ['10.0.0.1-10.0.0.3']);
  assert.deepEqual(texts(['10.0.0.0/9', '10.128.0.1'], 4), ['10.0.0.0/9', '10.128.0.1']);
});

test('each family has its own, and a mapped address is IPv4', () => {
  const mixed = ['::ffff:10.0.0.0/104', '2001:db8::/32', '10.9.0.0/16'];
  assert.deepEqual(texts(mixed, 4), ['10.0.0.0/8']);
  assert.deepEqual(texts(mixed, 6), ['2001:db8::/32']);
});

test('a range is written as a CIDR only where it is one', () => {
  assert.equal(formatRange(allAddresses(4), 4), '0.0.0.0/0');
  assert.equal(formatRange(allAddresses(6), 6), '::/0');
  assert.equal(formatRange({ from: 1n, to: 2n }, 4), '0.0.0.1-0.0.0.2');
  assert.equal(formatRange({ from: 2n, to: 3n }, 4), '0.0.0.2/31');
  assert.equal(formatRange({ from: 1n << 127n, to: (1n << 127n) + 1n }, 6), '8000::/127');
});

test('networks side by side stay two, and one in another is none', () => {
  const networks = ['10.0.0.0/24', '10.0.1.0/24', '10.0.1.128/25', '10.0.0.0/24', 'fd00::/64'];
  const ranges = widestRanges(networks, 4).map((range) => formatRange(range, 4));
  assert.deepEqual(ranges, ['10.0.0.0/24', '10.0.1.0/24']);
  assert.equal(rangeOf('fd00::/64', 4), undefined);
});
