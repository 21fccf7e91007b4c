import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRoutes } from '../../src/routing/route-index.ts';
import { routesOf } from './routes.ts';

const anywhere = '127.0.0.1';

test('a listener whose routes are the same keeps its table, and no other does', () => {
  const before = routesOf({ ports: 1 }, { ports: 2, domains: ['a.test'] }, { ports: 2 }, { ports: 3 });
  const old = compileRoutes(before);
  const [, , , last] = routesOf({ ports: 1 }, { ports: 2 }, { ports: 2 }, { ports: 3, priority: 5 });
  const after = compileRoutes([...before.slice(0, 3), last!], old);
  for (const key of ['*:1', '*:2']) assert.equal(after.table(key, anywhere), old.table(key, anywhere));
  assert.notEqual(after.table('*:3', anywhere), old.table('*:3', anywhere));
  assert.deepEqual(after.table('*:3', anywhere)?.routes, [last]);
  const fewer = compileRoutes(before.slice(0, 2), after);
  assert.deepEqual(fewer.table('*:2', anywhere)?.routes, [before[1]]);
  assert.equal(fewer.table('*:3', anywhere), undefined);
});

test('sites of tables that are kept are sites of the new index', () => {
  const routes = routesOf({ ports: 1, protocol: 'http' }, { ports: 2, protocol: 'http' });
  const old = compileRoutes(routes);
  const after = compileRoutes([routes[0]!, ...routesOf({ ports: 3, protocol: 'http' })], old);
  assert.deepEqual(
    [...after.sites].map(({ key }) => key),
    ['*:1#clear', '*:3#clear'],
  );
});
