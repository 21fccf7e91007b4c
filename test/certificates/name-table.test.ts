import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NameTable } from '../../src/certificates/name-table.ts';
import { coversDomain } from '../../src/config/domain.ts';

const label = fc.constantFrom('a', 'b', 'c', 'xn--4ca');
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const pattern = fc.oneof(
  name,
  name.map((parent) => `*.${parent}`),
  fc.constant('*'),
);

function tableOf(patterns: readonly (string | null)[]): NameTable<string | null> {
  const table = new NameTable<string | null>();
  for (const one of patterns) table.add(one, one);
  return table;
}

test('a name finds the most specific of the patterns that cover it', () => {
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { maxLength: 12 }), name, (patterns, asked) => {
      const covering = patterns.filter((one) => coversDomain(one, asked));
      const specificity = (one: string) => (one === asked ? Number.POSITIVE_INFINITY : one.length);
      const best = covering.sort((one, other) => specificity(other) - specificity(one))[0];
      assert.equal(
        tableOf(patterns).find(asked, () => true),
        best,
      );
    }),
  );
});

test('what is not accepted gives way to the next pattern', () => {
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { maxLength: 12 }), name, pattern, (patterns, asked, refused) => {
      const without = patterns.filter((one) => one !== refused);
      assert.equal(
        tableOf(patterns).find(asked, (one) => one !== refused),
        tableOf(without).find(asked, () => true),
      );
    }),
  );
});

test('no name is covered by any name, then by none; a wildcard needs a label', () => {
  const table = tableOf([null, '*', '*.a', 'a']);
  const any = () => true;
  assert.equal(table.find(null, any), '*');
  assert.equal(tableOf([null, 'a']).find(null, any), null);
  assert.equal(tableOf(['a']).find(null, any), undefined);
  assert.equal(tableOf(['*.a']).find('a', any), undefined);
  assert.equal(tableOf([null]).find('a', any), null);
  assert.equal(table.find('__proto__', any), '*');
});

test('values of one pattern are asked in the order in which they came', () => {
  const table = new NameTable<number>();
  for (const value of [1, 2, 3]) table.add('a', value);
  assert.equal(
    table.find('a', (value) => value > 1),
    2,
  );
});
