import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { shareClients } from '../../src/nftables/client-shares.ts';

const claims = fc.array(
  fc.record({
    range: fc
      .tuple(fc.nat(40), fc.nat(40))
      .map(([a, b]) => ({ from: BigInt(Math.min(a, b)), to: BigInt(Math.max(a, b)) })),
    owner: fc.constantFrom('a', 'b', 'c'),
  }),
  { maxLength: 8 },
);

test('every client goes to the first claim that covers it, and to one share at most', () => {
  fc.assert(
    fc.property(claims, (list) => {
      const shares = shareClients(list);
      for (let client = 0n; client <= 42n; client++) {
        const covers = ({ range }: (typeof list)[number]) => range.from <= client && client <= range.to;
        const found = shares.filter(covers).map(({ owner }) => owner);
        const expected = list.find(covers);
        assert.deepEqual(found, expected === undefined ? [] : [expected.owner]);
      }
    }),
  );
});

test('shares are sorted, and neighbours of one owner are one share', () => {
  fc.assert(
    fc.property(claims, (list) => {
      const shares = shareClients(list);
      for (const [i, { range, owner }] of shares.entries()) {
        const next = shares[i + 1];
        if (next === undefined) continue;
        assert.ok(range.to < next.range.from);
        assert.ok(range.to + 1n < next.range.from || owner !== next.owner);
      }
    }),
  );
});
