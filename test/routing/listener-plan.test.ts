import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listenerPlan } from '../../src/routing/listener-plan.ts';
import { compileRoutes } from '../../src/routing/route-index.ts';
import { type RouteSketch, routesOf } from './routes.ts';

function planOf(...sketches: RouteSketch[]): Record<string, string> {
  const plan = listenerPlan(routesOf(...sketches));
  return Object.fromEntries(plan.map(({ key, routes }) => [key, routes.map(({ name }) => name).join(' ')]));
}

const freePort = [{ from: 0, to: 0 }];

describe('listenerPlan', () => {
  it('gives routes of one port one listener', () => {
    assert.deepEqual(planOf({ ports: 443, domains: ['a.test'] }, { ports: 5432 }, { ports: 443 }), {
      '*:443': 'r0 r2',
      '*:5432': 'r1',
    });
  });

  it('spells ranges out, and shares the routes of neighbouring ports', () => {
    const ranges: RouteSketch[] = [
      { ports: [{ from: 10, to: 12 }] },
      {
        ports: [
          { from: 12, to: 13 },
          { from: 20, to: 20 },
        ],
      },
    ];
    assert.deepEqual(planOf(...ranges), {
      '*:10': 'r0',
      '*:11': 'r0',
      '*:12': 'r0 r1',
      '*:13': 'r1',
      '*:20': 'r1',
    });
    const plan = listenerPlan(routesOf({ ports: [{ from: 1, to: 65_535 }] }));
    assert.equal(plan.length, 65_535);
    assert.equal(new Set(plan.map(({ routes }) => routes)).size, 1);
  });

  it('gives each address a listener of its own', () => {
    const plan = listenerPlan(
      routesOf({ address: '127.0.0.1' }, { address: '::1' }, { address: '127.0.0.1' }),
    );
    assert.deepEqual(
      plan.map(({ key, address, port }) => ({ key, address, port })),
      [
        { key: '127.0.0.1:443', address: '127.0.0.1', port: 443 },
        { key: '[::1]:443', address: '::1', port: 443 },
      ],
    );
  });

  it('takes an address into the listener of all addresses, which the kernel would not let it bind beside', () => {
    assert.deepEqual(planOf({ address: '127.0.0.1' }, {}), { '*:443': 'r0 r1' });
    assert.deepEqual(planOf({ address: '127.0.0.1' }, { address: '::' }), { '*:443': 'r0 r1' });
    assert.deepEqual(planOf({ address: '127.0.0.1' }, { address: '0.0.0.0' }, { address: '::1' }), {
      '0.0.0.0:443': 'r0 r1',
      '[::1]:443': 'r2',
    });
    assert.deepEqual(planOf({ address: '127.0.0.1' }, { ports: 80 }), {
      '*:80': 'r1',
      '127.0.0.1:443': 'r0',
    });
  });

  it('shares a free port among routes that the first bytes tell apart, and gives plain TCP its own', () => {
    assert.deepEqual(
      planOf(
        { ports: freePort, domains: ['a.test'] },
        { ports: freePort, domains: ['b.test'] },
        { ports: freePort, name: 'db' },
        { ports: freePort, name: 'cache', address: '127.0.0.1' },
        { ports: freePort, domains: ['a.test'], address: '127.0.0.1' },
      ),
      { '*:0': 'r0 r1', '*:0#db': 'db', '127.0.0.1:0#cache': 'cache', '127.0.0.1:0': 'r4' },
    );
  });
});

describe('RouteIndex', () => {
  const query = { clientIp: '10.0.0.1', kind: 'none', serverName: null, alpn: [] } as const;

  it('lets a route with an address take only what arrived there, before a route without one', () => {
    const index = compileRoutes(routesOf({ name: 'all' }, { name: 'local', address: '127.0.0.1' }));
    assert.equal(index.table('*:443', '127.0.0.1')?.match(query)?.name, 'local');
    assert.equal(index.table('*:443', '192.0.2.1')?.match(query)?.name, 'all');
    assert.equal(index.table('*:443', '::1')?.match(query)?.name, 'all');
  });

  it('ranks one address before all of IPv4, and that before every address', () => {
    const index = compileRoutes(
      routesOf({ name: 'all' }, { name: 'v4', address: '0.0.0.0' }, { name: 'one', address: '127.0.0.1' }),
    );
    assert.equal(index.table('*:443', '127.0.0.1')?.match(query)?.name, 'one');
    assert.equal(index.table('*:443', '192.0.2.1')?.match(query)?.name, 'v4');
    assert.equal(index.table('*:443', '2001:db8::1')?.match(query)?.name, 'all');
  });

  it('has one table for a whole range, and none for a listener that is gone', () => {
    const index = compileRoutes(routesOf({ ports: [{ from: 1000, to: 1999 }] }));
    assert.equal(index.table('*:1000', '::1'), index.table('*:1999', '127.0.0.1'));
    assert.equal(index.table('*:2000', '127.0.0.1'), undefined);
  });
});
