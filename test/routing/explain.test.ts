import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isPerRequest } from '../../src/config/connection-kind.ts';
import { type ExplainQuery, type Explanation, explainConnection } from '../../src/routing/explain.ts';
import { parseExplainTarget } from '../../src/routing/explain-target.ts';
import { matchRequest } from '../../src/routing/http-site.ts';
import { compileRoutes } from '../../src/routing/route-index.ts';
import { anyPath, anyPathPattern, mutualTls, plainTls, requestOf } from './requests.ts';
import { type RouteSketch, routesOf } from './routes.ts';

function explain(target: string, client: string, ...sketches: RouteSketch[]): Explanation {
  const query = parseExplainTarget(target, client);
  assert.ok(query);
  return explainConnection(compileRoutes(routesOf(...sketches)), query);
}

function why(explanation: Explanation, route: string): string {
  const candidate = explanation.candidates.find((one) => one.route === route);
  assert.ok(candidate);
  return `${candidate.outcome}: ${candidate.why}`;
}

const names = ['a.test', 'b.test', 'x.a.test', 'y.x.a.test'];
const blocks = ['10.0.0.0/8', '10.1.0.0/16', '10.1.1.1/32', '0.0.0.0/0', '2001:db8::/32', '::/0'];
const addresses = ['127.0.0.1', '127.0.0.2', '0.0.0.0', '::1', '::'];

const anyRoute = fc.record({
  ports: fc.constantFrom(
    [{ from: 443, to: 443 }],
    [{ from: 444, to: 444 }],
    [{ from: 443, to: 445 }],
    [{ from: 0, to: 0 }],
  ),
  priority: fc.constantFrom(0, 0, 0, 1, 5),
  address: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, fc.constantFrom(...addresses)),
  domains: fc.option(
    fc.uniqueArray(fc.constantFrom(...names, '*', '*.test', '*.a.test', '*.x.a.test'), {
      minLength: 1,
      maxLength: 3,
    }),
  ),
  clientIp: fc.option(fc.uniqueArray(fc.constantFrom(...blocks), { minLength: 1, maxLength: 3 })),
  protocol: fc.constantFrom('tcp', 'tls', 'http'),
  alpn: fc.option(fc.uniqueArray(fc.constantFrom('h2', 'http/1.1'), { minLength: 1, maxLength: 2 })),
});

const anyQuery: fc.Arbitrary<ExplainQuery & { localAddress: string }> = fc.record({
  port: fc.constantFrom(443, 444, 445, 446),
  clientIp: fc.constantFrom('10.1.1.1', '10.1.2.2', '10.2.2.2', '192.0.2.1', '2001:db8::1', '::1'),
  kind: fc.constantFrom('none', 'tls', 'http', 'other'),
  serverName: fc.option(fc.constantFrom(...names, 'c.test', 'test')),
  alpn: fc.subarray(['h2', 'http/1.1', 'x']),
  localAddress: fc.constantFrom('127.0.0.1', '127.0.0.2', '192.0.2.9', '::1', '2001:db8::9'),
});

const anyHttpRoute = fc
  .tuple(
    anyRoute,
    fc.record({
      path: fc.option(fc.uniqueArray(anyPathPattern, { minLength: 1, maxLength: 2 })),
      methods: fc.option(fc.constantFrom(['GET'], ['POST', 'PUT']), { freq: 1 }),
      headers: fc.option(fc.constantFrom({ 'x-a': '1' }, { 'x-a': '1', 'x-b': '2' }), { freq: 1 }),
      protocol: fc.constantFrom('tls', 'tls', 'tls', 'http', 'http', 'tcp'),
      tls: fc.constantFrom(plainTls, plainTls, plainTls, mutualTls, null),
      action: fc.constantFrom<RouteSketch['action'][]>(
        { type: 'redirect', to: '/', status: 308 },
        { type: 'block', how: 'close' },
        { type: 'handler', handle() {} },
      ),
      inheritsTls: fc.boolean(),
    }),
  )
  .map(([route, more]) => ({ ...route, ...more }) as RouteSketch);

const anyRequest = fc.record({
  host: fc.option(fc.constantFrom(...names, 'c.test')),
  path: anyPath,
  method: fc.constantFrom('GET', 'POST'),
  fields: fc.constantFrom<Record<string, string>[]>({}, { 'x-a': '1' }, { 'x-a': '1', 'x-b': '2' }),
});

describe('explainConnection', () => {
  it('never disagrees with match', () => {
    fc.assert(
      fc.property(fc.array(anyRoute, { maxLength: 12 }), anyQuery, (sketches, query) => {
        const index = compileRoutes(routesOf(...sketches));
        const explanation = explainConnection(index, query);
        const { listener, candidates } = explanation;
        const matched =
          listener === null ? undefined : index.table(listener, query.localAddress)?.match(query);
        assert.equal(explanation.route, matched?.name ?? null);
        const chosen = candidates.filter(({ outcome }) => outcome === 'chosen');
        assert.deepEqual(
          chosen.map(({ route }) => route),
          explanation.route === null ? [] : [explanation.route],
        );
        assert.equal(candidates.length, sketches.length);
        for (const candidate of candidates) assert.ok(candidate.why.length > 0);
      }),
      { numRuns: 5000 },
    );
  });

  it('never disagrees with matchRequest', () => {
    fc.assert(
      fc.property(
        fc.array(anyHttpRoute, { maxLength: 8 }),
        anyQuery,
        anyRequest,
        (sketches, query, request) => {
          const index = compileRoutes(routesOf(...sketches));
          const explanation = explainConnection(index, { ...query, request });
          const { listener } = explanation;
          const table = listener === null ? undefined : index.table(listener, query.localAddress);
          const route = table?.match(query);
          const site = table?.site(query);
          if (site === undefined || route === undefined || !isPerRequest(route)) {
            assert.equal(explanation.route, route?.name ?? null);
            return;
          }
          const { clientIp, alpn } = query;
          const matched = matchRequest(site, requestOf({ ...request, clientIp, alpn }));
          assert.equal(explanation.route, matched.route?.name ?? null);
          const refused = matched.outcome === 'no-route' ? undefined : matched.outcome;
          assert.equal(explanation.outcome, refused);
          assert.equal(explanation.candidates.length, sketches.length);
        },
      ),
      { numRuns: 8000 },
    );
  });

  // L18
  it('never depends on first bytes that the table does not ask for', () => {
    fc.assert(
      fc.property(fc.array(anyRoute, { maxLength: 6 }), anyQuery, (sketches, query) => {
        const index = compileRoutes(routesOf(...sketches));
        for (const { key } of index.listeners) {
          const table = index.table(key, query.localAddress);
          if (table?.needs(query.clientIp) !== 'nothing') continue;
          const unread = { clientIp: query.clientIp, kind: 'none', serverName: null, alpn: [] } as const;
          assert.equal(table.match(query), table.match(unread));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('imagines the connection at the listener where nobody says at which address', () => {
    fc.assert(
      fc.property(fc.array(anyRoute, { maxLength: 6 }), anyQuery, (sketches, query) => {
        const index = compileRoutes(routesOf(...sketches));
        const { listener, route } = explainConnection(index, { ...query, localAddress: null });
        const spec = index.listeners.find(({ key }) => key === listener);
        const localAddress = spec?.address ?? (query.clientIp.includes(':') ? '::' : '0.0.0.0');
        const matched = listener === null ? undefined : index.table(listener, localAddress)?.match(query);
        assert.equal(route, matched?.name ?? null);
      }),
      { numRuns: 1000 },
    );
  });

  it('says for each route why it does not match', () => {
    const explanation = explain(
      'tls://a.test',
      '10.0.0.1',
      { name: 'port', ports: 8443 },
      { name: 'name', domains: ['b.test'] },
      { name: 'client', clientIp: ['192.0.2.0/24'] },
      { name: 'protocol', protocol: 'http' },
      { name: 'alpn', alpn: ['h2'] },
      { name: 'right', domains: ['a.test'] },
    );
    assert.equal(explanation.route, 'right');
    assert.equal(explanation.listener, '*:443');
    assert.equal(why(explanation, 'right'), 'chosen: the only route that matches');
    assert.equal(why(explanation, 'port'), 'no-match: it listens on port 8443, not 443');
    assert.equal(why(explanation, 'name'), 'no-match: it asks for b.test, not a.test');
    assert.equal(why(explanation, 'client'), 'no-match: the client 10.0.0.1 is not in 192.0.2.0/24');
    assert.equal(why(explanation, 'protocol'), 'no-match: it takes HTTP only, and this is TLS');
    assert.equal(why(explanation, 'alpn'), 'no-match: it asks for ALPN h2, and the client offers no ALPN');
  });

  it('says what each route that matches was beaten by', () => {
    const explanation = explain(
      'https://a.test/x',
      '10.0.0.1',
      { name: 'low', domains: ['a.test'], priority: -1 },
      { name: 'wildcard', domains: ['*.test'] },
      { name: 'everyone', domains: ['a.test'] },
      { name: 'any-alpn', domains: ['a.test'], clientIp: ['10.0.0.0/8'] },
      { name: 'right', domains: ['a.test'], clientIp: ['10.0.0.0/8'], alpn: ['h2'] },
      { name: 'later', domains: ['a.test'], clientIp: ['10.0.0.0/8'], alpn: ['h2'] },
    );
    assert.equal(explanation.route, 'right');
    assert.equal(why(explanation, 'low'), 'lost: it matches, but priority -1 is below 0 of right');
    assert.equal(
      why(explanation, 'wildcard'),
      'lost: it matches, but right names the site more exactly (a.test)',
    );
    assert.equal(
      why(explanation, 'everyone'),
      'lost: it matches, but right names the client more exactly (10.0.0.0/8)',
    );
    assert.equal(why(explanation, 'any-alpn'), 'lost: it matches, but right asks for ALPN h2');
    assert.match(why(explanation, 'later'), /^lost: .*comes first in the configuration$/);
  });

  it('says for each route why it does not get a request, and what beats it', () => {
    const explanation = explain(
      'https://a.test/api/users?x',
      '10.0.0.1',
      { name: 'api', protocol: 'tls', tls: plainTls, domains: ['a.test'], path: ['/api/*'] },
      { name: 'all', protocol: 'tls', tls: plainTls, domains: ['a.test'] },
      { name: 'other', protocol: 'tls', tls: plainTls, domains: ['a.test'], path: ['/x', '/y/*'] },
      { name: 'post', protocol: 'tls', tls: plainTls, domains: ['a.test'], methods: ['POST'] },
      { name: 'header', protocol: 'tls', tls: plainTls, domains: ['a.test'], headers: { 'x-a': '1' } },
      { name: 'mutual', protocol: 'tls', tls: mutualTls, domains: ['m.test'] },
      { name: 'host', protocol: 'tls', tls: plainTls, domains: ['b.test'] },
      { name: 'elsewhere', ports: 444 },
    );
    assert.equal(explanation.route, 'api');
    assert.equal(why(explanation, 'api'), 'chosen: the best of 2 routes that match, with priority 0');
    assert.equal(why(explanation, 'all'), 'lost: it matches, but api names the path more exactly (/api/*)');
    assert.equal(why(explanation, 'other'), 'no-match: it asks for /x, /y/*, not /api/users');
    assert.equal(why(explanation, 'post'), 'no-match: it asks for POST, not GET');
    assert.equal(why(explanation, 'header'), 'no-match: it asks for the header x-a: 1');
    assert.equal(why(explanation, 'mutual'), 'no-match: it is for connections of another kind');
    assert.equal(why(explanation, 'host'), 'no-match: it asks for b.test, not a.test');
    assert.equal(why(explanation, 'elsewhere'), 'no-match: it listens on port 444, not 443');
  });

  it('says which readings of a path go apart', () => {
    const explanation = explain(
      'http://a.test/x/..%2Fadmin',
      '10.0.0.1',
      { name: 'admin', ports: 80, protocol: 'http', path: ['/admin/*'] },
      { name: 'all', ports: 80, protocol: 'http' },
    );
    assert.equal(explanation.outcome, 'ambiguous-path');
    assert.match(
      why(explanation, 'all'),
      /servers read the path .* \(\/x\/..%2Fadmin, \/x\/..\/admin, \/admin\)/,
    );
  });

  it('tells listeners of one port apart by the address', () => {
    const routes: RouteSketch[] = [
      { name: 'one', address: '127.0.0.1' },
      { name: 'two', address: '127.0.0.2' },
    ];
    const explanation = explain('tcp://127.0.0.2:443', '10.0.0.1', ...routes);
    assert.equal(explanation.route, 'two');
    assert.equal(explanation.listener, '127.0.0.2:443');
    assert.equal(
      why(explanation, 'one'),
      'no-match: it listens on 127.0.0.1, and the connection arrives at 127.0.0.2',
    );
  });

  it('finds a listener on a free port by the port that it got', () => {
    const index = compileRoutes(routesOf({ name: 'db', ports: [{ from: 0, to: 0 }] }));
    const query = parseExplainTarget('tcp://:40123');
    assert.ok(query);
    assert.equal(explainConnection(index, query, new Map([['*:0#db', 40_123]])).route, 'db');
    assert.deepEqual(explainConnection(index, query).candidates, [
      { route: 'db', outcome: 'no-match', why: 'it listens on a free port, not 40123' },
    ]);
  });
});

describe('parseExplainTarget', () => {
  it('reads URLs and the two schemes of its own', () => {
    const base = { clientIp: '127.0.0.1', localAddress: null };
    assert.deepEqual(parseExplainTarget('https://A.test./x?y'), {
      ...base,
      port: 443,
      kind: 'tls',
      serverName: 'a.test',
      alpn: ['h2', 'http/1.1'],
      request: { host: 'a.test', path: '/x', method: 'GET', fields: {} },
    });
    assert.deepEqual(parseExplainTarget('http://a.test:8080'), {
      ...base,
      port: 8080,
      kind: 'http',
      serverName: null,
      alpn: [],
      request: { host: 'a.test', path: '/', method: 'GET', fields: {} },
    });
    assert.deepEqual(parseExplainTarget('tls://bücher.test:8443'), {
      ...base,
      port: 8443,
      kind: 'tls',
      serverName: 'xn--bcher-kva.test',
      alpn: [],
    });
    assert.deepEqual(parseExplainTarget('tcp://:5432'), {
      ...base,
      port: 5432,
      kind: 'other',
      serverName: null,
      alpn: [],
    });
  });

  it('takes a host that is an address as where the connection arrives', () => {
    const v6 = parseExplainTarget('tls://[::1]:443', '::ffff:10.0.0.1');
    assert.equal(v6?.localAddress, '::1');
    assert.equal(v6?.serverName, null);
    // P6
    assert.equal(v6?.clientIp, '10.0.0.1');
    assert.equal(parseExplainTarget('tls://127.0.0.1')?.localAddress, '127.0.0.1');
  });

  it('leaves everything else to the caller', () => {
    const others = [
      '',
      '4f3a',
      'a.test',
      'ftp://a.test',
      'tcp://a.test',
      'tls://a.test:0',
      'tls://a.test:65536',
      'tls://a.test:x',
    ];
    const broken = ['tls://[a]:1', 'tls://a b', 'constructor://a', '://a', 'tls:/a.test', 'tls://[::1'];
    for (const text of [...others, ...broken]) assert.equal(parseExplainTarget(text), undefined, text);
    assert.equal(parseExplainTarget('https://a.test', 'nobody'), undefined);
  });
});
