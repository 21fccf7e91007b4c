import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ConnectionQuery, PortTable } from '../../src/routing/port-table.ts';
import { type RouteSketch, routesOf } from './routes.ts';

function tableOf(...sketches: RouteSketch[]): PortTable {
  return new PortTable(routesOf(...sketches));
}

function matchIn(table: PortTable, query: Partial<ConnectionQuery>): string | undefined {
  return table.match({ clientIp: '10.0.0.1', kind: 'tls', serverName: null, alpn: [], ...query })?.name;
}

describe('PortTable.needs', () => {
  // L18
  it('waits for nothing where no route asks for anything', () => {
    assert.equal(tableOf({}).needs('10.0.0.1'), 'nothing');
    assert.equal(tableOf({ clientIp: ['10.0.0.0/8'] }, {}).needs('10.0.0.1'), 'nothing');
    assert.equal(tableOf().needs('10.0.0.1'), 'nothing');
  });

  it('waits for first bytes where a route asks for a name, ALPN, TLS or HTTP', () => {
    const asking: RouteSketch[] = [
      { domains: ['a.test'] },
      { alpn: ['h2'] },
      { protocol: 'tls' },
      { protocol: 'http' },
    ];
    for (const sketch of asking) assert.equal(tableOf({}, sketch).needs('10.0.0.1'), 'first-bytes');
  });

  // L18
  it('waits only for clients that a route which asks could match', () => {
    const table = tableOf({}, { domains: ['a.test'], clientIp: ['10.0.0.0/8', '2001:db8::/32'] });
    assert.equal(table.needs('10.0.0.1'), 'first-bytes');
    assert.equal(table.needs('2001:db8::1'), 'first-bytes');
    assert.equal(table.needs('192.0.2.1'), 'nothing');
  });

  it('uses the smallest deadline and size of its routes; 0 is none', () => {
    const table = tableOf(
      { initialDataMs: 0, initialDataBytes: 9_000 },
      { initialDataMs: 700, initialDataBytes: 0 },
      { initialDataMs: 900 },
    );
    assert.equal(table.initialDataMs, 700);
    assert.equal(table.initialDataBytes, 9_000);
    assert.equal(tableOf({ initialDataMs: 0 }).initialDataMs, 0);
  });
});

describe('PortTable.match', () => {
  it('prefers an exact name, then the longer wildcard, then the star, then a route without names', () => {
    const table = tableOf(
      { name: 'nameless', protocol: 'tls' },
      { name: 'star', domains: ['*'] },
      { name: 'short', domains: ['*.test'] },
      { name: 'long', domains: ['*.a.test'] },
      { name: 'exact', domains: ['x.a.test'] },
    );
    assert.equal(matchIn(table, { serverName: 'x.a.test' }), 'exact');
    assert.equal(matchIn(table, { serverName: 'y.a.test' }), 'long');
    assert.equal(matchIn(table, { serverName: 'a.test' }), 'short');
    assert.equal(matchIn(table, { serverName: 'example.org' }), 'star');
  });

  // T7
  it('takes the star, or the one default, for a client without a name, and otherwise nothing', () => {
    assert.equal(matchIn(tableOf({ domains: ['a.test'] }, { name: 'star', domains: ['*'] }), {}), 'star');
    assert.equal(
      matchIn(tableOf({ domains: ['a.test'] }, { name: 'default', protocol: 'tls' }), {}),
      'default',
    );
    assert.equal(matchIn(tableOf({ domains: ['a.test'] }, { domains: ['*.test'] }), {}), undefined);
  });

  it('lets priority beat every kind of specificity', () => {
    const table = tableOf({ domains: ['a.test'] }, { name: 'star', domains: ['*'], priority: 1 });
    assert.equal(matchIn(table, { serverName: 'a.test' }), 'star');
    const low = tableOf({ name: 'exact', domains: ['a.test'] }, { domains: ['*'], priority: -1 });
    assert.equal(matchIn(low, { serverName: 'a.test' }), 'exact');
  });

  it('prefers the narrowest client block that holds the client', () => {
    const table = tableOf(
      { name: 'all' },
      { name: 'wide', clientIp: ['10.0.0.0/8'] },
      { name: 'narrow', clientIp: ['10.1.0.0/16', '192.0.2.0/24'] },
      { name: 'v6', clientIp: ['2001:db8::/32'] },
    );
    assert.equal(matchIn(table, { clientIp: '10.1.2.3' }), 'narrow');
    assert.equal(matchIn(table, { clientIp: '10.2.2.3' }), 'wide');
    assert.equal(matchIn(table, { clientIp: '2001:db8::7' }), 'v6');
    assert.equal(matchIn(table, { clientIp: '198.51.100.1' }), 'all');
  });

  it('falls back to a wider block where the narrow one asks for an ALPN that is not offered', () => {
    const table = tableOf(
      { name: 'wide', domains: ['a.test'], clientIp: ['10.0.0.0/8'] },
      { name: 'narrow', domains: ['a.test'], clientIp: ['10.1.0.0/16'], alpn: ['h2'] },
    );
    assert.equal(matchIn(table, { serverName: 'a.test', clientIp: '10.1.2.3', alpn: ['h2'] }), 'narrow');
    assert.equal(matchIn(table, { serverName: 'a.test', clientIp: '10.1.2.3' }), 'wide');
  });

  it('takes any common ALPN, and prefers a route that asks for one', () => {
    const table = tableOf(
      { name: 'plain', domains: ['*'] },
      { name: 'acme', domains: ['*'], alpn: ['acme-tls/1', 'x'] },
    );
    assert.equal(matchIn(table, { alpn: ['h2', 'acme-tls/1'] }), 'acme');
    assert.equal(matchIn(table, { alpn: ['h2'] }), 'plain');
    assert.equal(matchIn(table, {}), 'plain');
  });

  it('gives a plain TCP route any bytes, but TLS and HTTP routes only their own', () => {
    const table = tableOf(
      { name: 'tcp' },
      { name: 'tls', protocol: 'tls' },
      { name: 'http', protocol: 'http' },
    );
    const kinds = ['none', 'tls', 'http', 'other'] as const;
    assert.deepEqual(
      kinds.map((kind) => matchIn(table, { kind })),
      ['tcp', 'tls', 'http', 'tcp'],
    );
    assert.equal(matchIn(tableOf({ name: 'tcp' }), { kind: 'tls', serverName: 'a.test' }), 'tcp');
    assert.equal(matchIn(tableOf({ protocol: 'tls' }), { kind: 'other' }), undefined);
  });

  it('falls from a name that does not fit otherwise to a less specific one', () => {
    const table = tableOf(
      { domains: ['a.test'], clientIp: ['192.0.2.0/24'] },
      { name: 'star', domains: ['*'] },
    );
    assert.equal(matchIn(table, { serverName: 'a.test' }), 'star');
  });

  it('takes the first of equals', () => {
    assert.equal(matchIn(tableOf({ name: 'first' }, { name: 'second' }), {}), 'first');
    const names = tableOf(
      { name: 'first', domains: ['b.test', 'a.test'] },
      { name: 'second', domains: ['a.test'] },
    );
    assert.equal(matchIn(names, { serverName: 'a.test' }), 'first');
  });
});
