import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ExactNames } from '../../src/routing/exact-names.ts';

describe('ExactNames', () => {
  it('gives what a Map gives', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', '1'), maxLength: 6 });
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 200 }), fc.array(name), (names, wanted) => {
        const map = new Map(names.map((one, i) => [one, i]));
        const packed = new ExactNames([...map]);
        for (const one of [...names, ...wanted]) assert.equal(packed.get(one), map.get(one), one);
      }),
    );
  });

  it('tells many names apart, and does not know others', () => {
    const names = Array.from({ length: 50_000 }, (_, i) => `site-${i}.example.test`);
    const packed = new ExactNames(names.map((name, i) => [name, i] as const));
    for (const [i, name] of names.entries()) assert.equal(packed.get(name), i);
    for (const name of [
      '',
      'site-50000.example.test',
      'site-1.example.tes',
      'site-1.example.test.',
      '\u0173ite-1.example.test',
    ]) {
      assert.equal(packed.get(name), undefined, name);
    }
  });

  it('is empty without names', () => {
    assert.equal(new ExactNames([]).get('a.test'), undefined);
  });
});
