import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chooseOwner,
  closing,
  closingBits,
  formatMark,
  highestRouteNumber,
  overBit,
  overFilter,
  ownerFilter,
  readMark,
  routeMark,
} from '../../src/nftables/marks.ts';

test('a mark says whose flow it is, its route, and how it was closed', () => {
  const mark = routeMark(0x7f, highestRouteNumber) | overBit | closingBits(closing.targetReset);
  assert.deepEqual(readMark(mark), {
    owner: 0x7f,
    route: highestRouteNumber,
    over: true,
    closing: closing.targetReset,
  });
  assert.deepEqual(readMark(routeMark(0x40, 1)), {
    owner: 0x40,
    route: 1,
    over: false,
    closing: closing.open,
  });
  assert.equal(formatMark(routeMark(0x40, 1)), '0x40000001');
});

test('the filters are those that conntrack understands', () => {
  assert.equal(ownerFilter(0x5b), '0x5b000000/0xff000000');
  assert.equal(overFilter(0x5b), '0x5b800000/0xff800000');
});

test('an instance has the same owner at every start, and never that of another table', () => {
  const first = chooseOwner('main', new Set());
  assert.equal(chooseOwner('main', new Set()), first);
  const taken = new Set<number>();
  for (let i = 0; i < 64; i++) {
    const owner = chooseOwner(`instance_${i}`, taken) as number;
    assert.ok(owner >= 0x40 && owner < 0x80 && !taken.has(owner));
    taken.add(owner);
  }
  assert.equal(chooseOwner('one_more', taken), undefined);
});
