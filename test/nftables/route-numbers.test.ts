import assert from 'node:assert/strict';
import { test } from 'node:test';
import { highestRouteNumber } from '../../src/nftables/marks.ts';
import { nameDigest, RouteNumbers } from '../../src/nftables/route-numbers.ts';

test('a name keeps its number, and a number its name', () => {
  const numbers = new RouteNumbers();
  const first = numbers.assign(['a', 'b']);
  const second = numbers.assign(['b', 'c', 'a']);
  assert.equal(second.get('a'), first.get('a'));
  assert.equal(second.get('b'), first.get('b'));
  assert.equal(new Set(second.values()).size, 3);
  assert.equal(numbers.nameOf(second.get('c') as number), 'c');
});

test('the numbers of a table that was found are those of the same names', () => {
  const found = new Map([
    [nameDigest('b'), 7],
    [nameDigest('gone'), 9],
  ]);
  const numbers = new RouteNumbers(found);
  const assigned = numbers.assign(['a', 'b']);
  assert.equal(assigned.get('b'), 7);
  assert.equal(assigned.get('a'), 10, 'flows of the route that is gone are not taken for its own');
  assert.equal(numbers.nameOf(9), undefined);
});

test('numbers begin anew at the end, and leave out those in use', () => {
  const numbers = new RouteNumbers(new Map([[nameDigest('last'), highestRouteNumber]]));
  const assigned = numbers.assign(['last', 'next']);
  assert.equal(assigned.get('last'), highestRouteNumber);
  assert.equal(assigned.get('next'), 1);
});

test('names that are of no use any more are forgotten', () => {
  const numbers = new RouteNumbers();
  const { size } = numbers.assign(['a', 'b']);
  assert.equal(size, 2);
  numbers.assign(['c']);
  numbers.retain((name) => name === 'a');
  assert.equal(numbers.nameOf(1), 'a');
  assert.equal(numbers.nameOf(2), undefined);
  assert.equal(numbers.nameOf(3), 'c');
});
