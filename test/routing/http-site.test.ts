import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readingsOf } from '../../src/config/request-path.ts';
import { type HttpSite, matchRequest } from '../../src/routing/http-site.ts';
import { type ConnectionQuery, PortTable } from '../../src/routing/port-table.ts';
import { compileRoutes } from '../../src/routing/route-index.ts';
import { anyPath, anyPathPattern, mutualTls, plainTls, type RequestSketch, requestOf } from './requests.ts';
import { type RouteSketch, routesOf } from './routes.ts';

const http: RouteSketch = { protocol: 'http' };
const tls: RouteSketch = { protocol: 'tls', tls: plainTls };
const mutual: RouteSketch = { protocol: 'tls', tls: mutualTls };

function tableOf(...sketches: RouteSketch[]): PortTable {
  return new PortTable(routesOf(...sketches));
}

function siteOf(table: PortTable, query: Partial<ConnectionQuery> = {}): HttpSite {
  const site = table.site({ clientIp: '10.0.0.1', kind: 'tls', serverName: null, alpn: [], ...query });
  assert.ok(site);
  return site;
}

function clearSite(...sketches: RouteSketch[]): HttpSite {
  const routes = sketches.map((sketch) => ({ ...http, ...sketch }));
  return siteOf(tableOf(...routes), { kind: 'http' });
}

/** The name of the route, or why there is none. */
function answer(site: HttpSite, request: RequestSketch): string {
  const match = matchRequest(site, requestOf(request));
  return match.route?.name ?? match.outcome ?? 'nothing';
}

describe('matchRequest', () => {
  it('prefers an exact host, then the longer wildcard, then the star, then a route without names', () => {
    const site = clearSite(
      { name: 'nameless' },
      { name: 'star', domains: ['*'] },
      { name: 'short', domains: ['*.test'] },
      { name: 'long', domains: ['*.a.test'] },
      { name: 'exact', domains: ['x.a.test'] },
    );
    assert.equal(answer(site, { host: 'x.a.test' }), 'exact');
    assert.equal(answer(site, { host: 'y.a.test' }), 'long');
    assert.equal(answer(site, { host: 'a.test' }), 'short');
    assert.equal(answer(site, { host: 'example.org' }), 'star');
    assert.equal(answer(site, { host: null }), 'star');
    assert.equal(answer(clearSite({ name: 'nameless' }), { host: null }), 'nameless');
    assert.equal(answer(clearSite({ domains: ['a.test'] }), { host: 'b.test' }), 'no-route');
  });

  it('prefers an exact path, then the longer prefix; a prefix ends where a segment does', () => {
    const site = clearSite(
      { name: 'every' },
      { name: 'root', path: ['/*'] },
      { name: 'api', path: ['/api/*'] },
      { name: 'v1', path: ['/api/v1/*'] },
      { name: 'exact', path: ['/api/v1/users'] },
    );
    assert.equal(answer(site, { path: '/api/v1/users' }), 'exact');
    assert.equal(answer(site, { path: '/api/v1/users/' }), 'v1');
    assert.equal(answer(site, { path: '/api/v1' }), 'v1');
    assert.equal(answer(site, { path: '/api' }), 'api');
    assert.equal(answer(site, { path: '/api/' }), 'api');
    assert.equal(answer(site, { path: '/apix' }), 'root');
    assert.equal(answer(site, { path: '' }), 'root');
    assert.equal(answer(site, { path: '*', method: 'OPTIONS' }), 'every');
  });

  it('finds one of many prefixes of the same length', () => {
    const site = clearSite(...Array.from({ length: 20 }, (_, i) => ({ path: [`/p${i + 10}/*`] })));
    assert.equal(answer(site, { path: '/p17/x' }), 'r7');
    assert.equal(answer(site, { path: '/p1' }), 'no-route');
    assert.equal(answer(site, { path: '/p170/x' }), 'no-route');
  });

  it('asks for methods, headers, client and ALPN, and prefers what asks for more', () => {
    const site = clearSite(
      { name: 'open' },
      { name: 'methods', methods: ['POST', 'PUT'] },
      { name: 'header', headers: { 'x-a': '1' } },
      { name: 'headers', headers: { 'x-a': '1', 'x-b': '2' } },
      { name: 'client', clientIp: ['192.0.2.0/24'] },
      { name: 'narrow', clientIp: ['192.0.2.7/32'] },
      { name: 'alpn', alpn: ['h2'] },
    );
    assert.equal(answer(site, {}), 'open');
    assert.equal(answer(site, { method: 'PUT' }), 'methods');
    assert.equal(answer(site, { method: 'put' }), 'open');
    assert.equal(answer(site, { fields: { 'x-a': '1' } }), 'header');
    assert.equal(answer(site, { fields: { 'x-a': '1', 'x-b': '2' }, method: 'POST' }), 'headers');
    assert.equal(answer(site, { fields: { 'x-a': '10' } }), 'open');
    assert.equal(answer(site, { clientIp: '192.0.2.1', fields: { 'x-a': '1' } }), 'client');
    assert.equal(answer(site, { clientIp: '192.0.2.7' }), 'narrow');
    assert.equal(answer(site, { alpn: ['http/1.1', 'h2'] }), 'alpn');
  });

  it('falls to a less specific name or path where the request is not what the more specific one asks for', () => {
    const site = clearSite(
      { name: 'get', domains: ['a.test'], path: ['/x'], methods: ['GET'] },
      { name: 'prefix', domains: ['a.test'], path: ['/*'], methods: ['GET', 'POST'] },
      { name: 'wildcard', domains: ['*.test'] },
    );
    assert.equal(answer(site, { path: '/x' }), 'get');
    assert.equal(answer(site, { path: '/x', method: 'POST' }), 'prefix');
    assert.equal(answer(site, { path: '/x', method: 'PUT' }), 'wildcard');
  });

  it('lets priority beat every kind of specificity, and takes the first of equals', () => {
    const site = clearSite(
      { name: 'exact', domains: ['a.test'], path: ['/x'] },
      { name: 'challenge', path: ['/.well-known/*'], priority: 1 },
      { name: 'late', domains: ['a.test'], path: ['/.well-known/*', '/x'] },
    );
    assert.equal(answer(site, { path: '/.well-known/acme' }), 'challenge');
    assert.equal(answer(site, { path: '/x' }), 'exact');
  });

  it('refuses a path that servers read in ways that belong to different routes', () => {
    const site = clearSite(
      { name: 'open', path: ['/*'] },
      { name: 'public', path: ['/public/*'] },
      { name: 'admin', path: ['/admin/*'] },
    );
    const bypasses = [
      ...['//admin/x', '/public/../admin', '/public/%2e%2e/admin', '/public/..%2fadmin', '/%2fadmin'],
      ...['/public/..;/admin', '/admin;a=b/x', '/public\\..\\admin', '/public/..%5cadmin/x', '/./admin'],
      ...['/public//../admin', '//public/admin/x', '/x/..//admin', `/${'a;/'.repeat(9)}\\%2F//..//admin`],
    ];
    for (const path of bypasses) assert.equal(answer(site, { path }), 'ambiguous-path', path);
    assert.equal(answer(site, { path: '/%61dmin/x' }), 'admin');
    assert.equal(answer(site, { path: '/admin%3Fx' }), 'open');
  });

  it('takes odd paths whose readings agree, and any where paths make no difference', () => {
    const site = clearSite({ name: 'open' }, { name: 'packages', path: ['/packages/*'] });
    for (const path of ['/packages/@a%2Fb', '/packages//x', '/packages/x;v=1', '/packages/./x']) {
      assert.equal(answer(site, { path }), 'packages', path);
    }
    assert.equal(answer(site, { path: '/a%2Fb' }), 'open');
    assert.equal(answer(clearSite({ name: 'all' }), { path: '//../x;/%2F' }), 'all');
  });

  it('never gives a request to a route that one of its readings does not belong to', () => {
    const sketch = fc.record({
      path: fc.option(fc.uniqueArray(anyPathPattern, { minLength: 1, maxLength: 2 })),
    });
    fc.assert(
      fc.property(fc.array(sketch, { minLength: 1, maxLength: 4 }), anyPath, (sketches, path) => {
        const site = clearSite(...sketches);
        const found = answer(site, { path });
        const read = (readingsOf(path) ?? []).map((reading) => answer(site, { path: reading }));
        if (found !== 'ambiguous-path')
          for (const one of read) assert.ok([found, 'ambiguous-path'].includes(one));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('PortTable.site', () => {
  it('is one for clear text, and one for each way of asking for client certificates', () => {
    const table = tableOf(
      { ...tls, domains: ['a.test'], path: ['/x'] },
      { ...tls, domains: ['b.test'] },
      { ...mutual, domains: ['m.test'] },
      { name: 'through', domains: ['p.test'] },
      { ...http, domains: ['a.test'] },
    );
    assert.equal(siteOf(table, { serverName: 'a.test' }), siteOf(table, { serverName: 'b.test' }));
    assert.notEqual(siteOf(table, { serverName: 'a.test' }), siteOf(table, { serverName: 'm.test' }));
    assert.equal(siteOf(table, { kind: 'http' }).trustDomain, 'clear');
    const through = { clientIp: '10.0.0.1', kind: 'tls', serverName: 'p.test', alpn: [] } as const;
    assert.equal(table.match(through)?.name, 'through');
    assert.equal(table.site(through), undefined);
    assert.equal(table.site({ ...through, serverName: 'nobody.test' }), undefined);
    assert.equal(table.site({ ...through, kind: 'other' }), undefined);
  });

  it('is the same by its key after a reload, and different at another listener', () => {
    const sketches = [
      { ...tls, ports: 443 },
      { ...http, ports: 443 },
      { ...tls, ports: 444 },
    ];
    const keysOf = (...all: RouteSketch[]) =>
      [...compileRoutes(routesOf(...all)).sites].map(({ key }) => key);
    const keys = keysOf(...sketches);
    assert.equal(new Set(keys).size, 3);
    assert.deepEqual(keysOf(...sketches, { ...tls, domains: ['new.test'] }), keys);
    const index = compileRoutes(routesOf(...sketches));
    for (const site of index.sites) assert.equal(index.site(site.key), site);
  });

  // T8
  it('turns away a request for a host whose connections need client certificates, or are passed through', () => {
    const table = tableOf(
      { ...tls, name: 'open', domains: ['*.test', 'a.test'] },
      { ...mutual, domains: ['m.test'] },
      { name: 'through', domains: ['p.test'] },
      { ...tls, name: 'handler', domains: ['h.test'], action: { type: 'handler', handle() {} } },
    );
    const open = siteOf(table, { serverName: 'a.test' });
    const expected = { 'a.test': 'open', 'b.test': 'open', 'm.test': 'misdirected', 'p.test': 'misdirected' };
    for (const [host, what] of Object.entries(expected)) assert.equal(answer(open, { host }), what, host);
    assert.equal(answer(open, { host: 'h.test' }), 'misdirected');
    assert.equal(answer(open, { host: 'example.org' }), 'no-route');
    assert.equal(answer(siteOf(table, { serverName: 'm.test' }), { host: 'a.test' }), 'misdirected');
    assert.equal(siteOf(table, { serverName: 'h.test' }), open);
  });

  it('leaves a connection to challenges that a backend answers itself', () => {
    const table = tableOf(
      { ...tls, name: 'web', domains: ['a.test'] },
      { name: 'challenge', domains: ['a.test'], alpn: ['acme-tls/1'] },
    );
    const query = { clientIp: '10.0.0.1', kind: 'tls', serverName: 'a.test' } as const;
    assert.equal(table.site({ ...query, alpn: ['acme-tls/1'] }), undefined);
    assert.equal(answer(siteOf(table, { serverName: 'a.test', alpn: ['h2'] }), { alpn: ['h2'] }), 'web');
  });

  it('knows the settings of a handshake by the most specific name', () => {
    const settings = (ca: string) => ({
      ...plainTls,
      certificate: { from: 'inline', cert: ca, key: '' } as const,
    });
    const table = tableOf(
      { ...tls, domains: ['*.test'], tls: settings('wildcard') },
      { ...tls, domains: ['a.test'], path: ['/x'], tls: settings('exact') },
      { ...tls, domains: ['b.a.test'], inheritsTls: true, tls: settings('exact') },
    );
    const site = siteOf(table, { serverName: 'a.test' });
    const certificate = (name: string | null) => {
      const found = site.tlsFor(name)?.certificate;
      return found?.from === 'inline' ? found.cert : null;
    };
    assert.deepEqual(['a.test', 'b.a.test', 'c.test', 'x.org', null].map(certificate), [
      'exact',
      'wildcard',
      'wildcard',
      null,
      null,
    ]);
    assert.equal(clearSite({}).tlsFor('a.test'), null);
  });
});
