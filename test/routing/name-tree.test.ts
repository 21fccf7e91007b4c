import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NameTree } from '../../src/routing/name-tree.ts';

function treeOf(...patterns: (string | null)[]): { lookup(name: string | null): string[] } {
  const tree = new NameTree(new Map(patterns.map((pattern) => [pattern, pattern ?? '(none)'])));
  return {
    lookup(name) {
      const found: string[] = [];
      tree.visit(name, (value) => found.push(value));
      return found;
    },
  };
}

function naiveLookup(patterns: readonly (string | null)[], name: string | null): string[] {
  const covers = (pattern: string | null): boolean => {
    if (pattern === null || pattern === '*') return true;
    if (name === null) return false;
    if (!pattern.startsWith('*.')) return pattern === name;
    const labels = name.split('.');
    const suffix = pattern.split('.').slice(1);
    return labels.length > suffix.length && labels.slice(-suffix.length).join('.') === suffix.join('.');
  };
  const rank = (pattern: string | null): number => {
    if (pattern === null) return 0;
    if (pattern === '*') return 1;
    return pattern.startsWith('*.') ? 1 + pattern.split('.').length : 1_000;
  };
  return [...new Set(patterns)]
    .filter(covers)
    .sort((a, b) => rank(a) - rank(b))
    .map((pattern) => pattern ?? '(none)');
}

describe('NameTree', () => {
  it('gives what covers a name from the least specific to the most', () => {
    const tree = treeOf('x.b.a.test', '*', '*.a.test', null, '*.b.a.test', '*.test', 'other.test');
    assert.deepEqual(tree.lookup('x.b.a.test'), [
      '(none)',
      '*',
      '*.test',
      '*.a.test',
      '*.b.a.test',
      'x.b.a.test',
    ]);
  });

  it('lets a wildcard cover one label or more, but not its own parent', () => {
    const tree = treeOf('*.a.test');
    assert.deepEqual(tree.lookup('x.a.test'), ['*.a.test']);
    assert.deepEqual(tree.lookup('y.x.a.test'), ['*.a.test']);
    assert.deepEqual(tree.lookup('a.test'), []);
    assert.deepEqual(tree.lookup('xa.test'), []);
    assert.deepEqual(tree.lookup('a.test.example'), []);
  });

  // T7
  it('gives a client without a name only what asks for none, and the star', () => {
    assert.deepEqual(treeOf('a.test', '*.test', '*', null).lookup(null), ['(none)', '*']);
    assert.deepEqual(treeOf('a.test', '*.test').lookup(null), []);
  });

  it('takes a name that looks like a pattern as a name', () => {
    assert.deepEqual(treeOf('*', '*.a.test').lookup('*'), ['*']);
    assert.deepEqual(treeOf('*.a.test').lookup('*.a.test'), ['*.a.test']);
    assert.deepEqual(treeOf('*.a.test').lookup(''), []);
  });

  it('agrees with a search through all patterns', () => {
    const label = fc.constantFrom('a', 'b', 'test');
    const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));
    const pattern = fc.oneof(
      name,
      name.map((suffix) => `*.${suffix}`),
      fc.constantFrom('*', null),
    );
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 30 }), fc.option(name), (patterns, wanted) => {
        assert.deepEqual(treeOf(...patterns).lookup(wanted), naiveLookup(patterns, wanted));
      }),
      { numRuns: 1000 },
    );
  });
});
