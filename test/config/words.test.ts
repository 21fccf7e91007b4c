import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { coveringPatterns, coversDomain, normalizeDomain } from '../../src/config/domain.ts';
import { editDistance, nearest } from '../../src/config/nearest.ts';
import { ConfigurationError, formatPath, formatProblem } from '../../src/config/problems.ts';

test('a swapped, missing, added or changed letter counts one', () => {
  for (const [from, to, distance] of [
    ['match', 'match', 0],
    ['macth', 'match', 1],
    ['mach', 'match', 1],
    ['matches', 'match', 2],
    ['', 'abc', 3],
    ['forwrad', 'forward', 1],
  ] as const) {
    assert.equal(editDistance(from, to), distance, `${from} ${to}`);
  }
});

test('the distance is the same both ways and never more than the longer word', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (one, other) => {
      const distance = editDistance(one, other);
      assert.equal(distance, editDistance(other, one));
      assert.ok(distance <= Math.max(one.length, other.length));
      assert.equal(distance === 0, one === other);
    }),
  );
});

test('the nearest name is suggested only where it is near', () => {
  const keys = ['domains', 'ports', 'path'];
  assert.equal(nearest('domain', keys), 'domains');
  assert.equal(nearest('PORTS', keys), 'ports');
  assert.equal(nearest('pots', keys), 'ports');
  assert.equal(nearest('certificate', keys), undefined);
  assert.equal(nearest('x'.repeat(1_000_000), keys), undefined);
  assert.equal(nearest('a', []), undefined);
});

test('paths are written as in a program', () => {
  assert.equal(formatPath(['routes', 0, 'match', 'headers', 'x-a']), 'routes[0].match.headers["x-a"]');
  assert.equal(formatPath([]), '');
});

test('a problem is one line: file, path, what is wrong, what to write', () => {
  const problem = { path: 'a.b', message: 'is missing', instead: 'write 1' };
  assert.equal(formatProblem(problem, 'x.yaml'), 'x.yaml: a.b: is missing (write 1)');
  assert.equal(formatProblem({ path: '', message: 'is missing' }), 'is missing');
  const error = new ConfigurationError([problem], { file: 'x.yaml' });
  assert.deepEqual(
    [error.code, error.source, error.retryable, error.message],
    ['invalid-configuration', 'config', false, 'x.yaml: a.b: is missing (write 1)'],
  );
});

// T6
test('a name has one spelling', () => {
  for (const [text, name] of [
    ['A.Test', 'a.test'],
    ['a.test.', 'a.test'],
    ['bücher.test', 'xn--bcher-kva.test'],
    ['*.A.test', '*.a.test'],
    ['*', '*'],
    ['_x._tcp.a', '_x._tcp.a'],
    ['::1', '::1'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
  ] as const) {
    assert.equal(normalizeDomain(text), name);
    assert.equal(normalizeDomain(name), name);
  }
  for (const text of [
    '',
    '.',
    'a..b',
    'a.test..',
    '*.',
    '*.1.2.3.4',
    'a%2eb',
    'a/b',
    'a?b',
    'a#b',
    'a@b',
    'a:1',
    'a\\b',
    'a\0b',
    '[::1]',
  ]) {
    assert.equal(normalizeDomain(text), undefined, text);
  }
});

test('a wildcard covers one label or more below its name, and no more than that', () => {
  assert.ok(coversDomain('*.a.test', 'x.a.test') && coversDomain('*.a.test', 'x.y.a.test'));
  assert.ok(
    coversDomain('*.a.test', '*.b.a.test') && coversDomain('*', '*.a.test') && coversDomain('*', 'a'),
  );
  assert.ok(
    !coversDomain('*.a.test', 'a.test') &&
      !coversDomain('*.a.test', 'xa.test') &&
      !coversDomain('*.b.a.test', '*.a.test'),
  );
  assert.ok(!coversDomain('a.test', 'x.a.test') && !coversDomain('*.a.test', '*'));
});

test('the patterns that cover a name are all of them', () => {
  const label = fc.constantFrom('a', 'b', 'c');
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
  const pattern = fc.oneof(
    name,
    name.map((text) => `*.${text}`),
    fc.constant('*'),
  );
  fc.assert(
    fc.property(pattern, pattern, (outer, inner) => {
      assert.equal(coveringPatterns(inner).includes(outer), coversDomain(outer, inner));
    }),
  );
});
