import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPerRequest, trustDomain } from '../../src/config/connection-kind.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import type { ResolvedForward, ResolvedRoute } from '../../src/config/resolved.ts';
import type { Match, Route, SmartProxyOptions } from '../../src/config/schema.ts';
import { machine, problemsOf, route, warningsOf } from './samples.ts';

const target = { host: '10.0.0.1', port: 80 };

/** A route on port 443. */
function on443(name: string, match: Partial<Match>, action: Partial<Route['action']>): Route {
  return route({ name, match: { ports: 443, ...match }, action: action as Route['action'] });
}

function forward(tls?: object, more: object = {}): Route['action'] {
  return { type: 'forward', target, ...(tls === undefined ? {} : { tls }), ...more } as Route['action'];
}

const terminate = { mode: 'terminate' } as const;
const mutual = { mode: 'terminate', clientAuth: { ca: '/clients.pem' } } as const;

function resolveAll(...routes: Route[]): readonly ResolvedRoute[] {
  return resolveOptions({ routes }, machine).options.routes;
}

function problems(...routes: Route[]): string[] {
  return problemsOf({ routes }, machine);
}

function actionOf(written: Route['action'], match: Partial<Match> = {}): ResolvedForward {
  const [only] = resolveAll(on443('a', match, written));
  assert.ok(only?.action.type === 'forward');
  return only.action;
}

test('TLS has the defaults of the contract, and offers HTTP where HTTP is spoken', () => {
  const tlsOf = (action: object) => resolveAll(on443('a', {}, action))[0]!.tls;
  const defaults = { certificate: { from: 'default' }, clientAuth: null, minVersion: 'TLSv1.2' };
  assert.deepEqual(tlsOf(forward(terminate)), { ...defaults, alpn: ['h2', 'http/1.1'] });
  assert.deepEqual(tlsOf({ type: 'respond', status: 200, tls: {} })?.alpn, ['h2', 'http/1.1']);
  assert.deepEqual(tlsOf({ type: 'handler', handle() {}, tls: {} })?.alpn, []);
  assert.equal(tlsOf(forward({ mode: 'passthrough' })), null);
  const said = tlsOf(
    forward({
      ...{ mode: 'terminate', certificate: { certFile: '/c', keyFile: '/k' }, clientAuth: { ca: '/ca' } },
      ...{ alpn: ['http/1.1'], minVersion: 'TLSv1.3' },
    }),
  );
  assert.deepEqual(said, {
    certificate: { from: 'files', certFile: '/c', keyFile: '/k' },
    clientAuth: { ca: '/ca', required: true },
    alpn: ['http/1.1'],
    minVersion: 'TLSv1.3',
  });
});

test('TLS towards targets is on with re-encryption, or where clear HTTP asks for it', () => {
  const tls = { ca: null, certFile: null, keyFile: null, serverName: null, verify: true };
  const of = (action: Route['action'], match: Partial<Match> = {}) => actionOf(action, match).targets[0]!;
  assert.deepEqual(of(forward({ mode: 'terminate-and-reencrypt' })).tls, tls);
  assert.equal(of(forward(terminate)).tls, null);
  const written = { ...target, protocol: 'http2', tls: { serverName: 'A.test', verify: false } };
  const clear = of(forward(undefined, { target: written }), { protocol: 'http' });
  assert.deepEqual(clear.tls, { ...tls, serverName: 'a.test', verify: false });
  assert.equal(clear.protocol, 'http2');
});

test('header edits, Host and prefix get their one spelling', () => {
  const http = {
    headers: { request: { set: { 'X-B': '1', 'x-A': ['2', '3'] }, remove: ['Cookie', 'cookie'] } },
    hostHeader: 'A.test:8080',
    stripPrefix: '/%61pi/',
  };
  assert.deepEqual(actionOf(forward(terminate, { http })).http, {
    headers: {
      request: {
        remove: ['cookie'],
        set: [
          { name: 'x-a', values: ['2', '3'] },
          { name: 'x-b', values: ['1'] },
        ],
        add: [],
      },
      response: { remove: [], set: [], add: [] },
    },
    hostHeader: { literal: 'a.test:8080' },
    stripPrefix: '/api',
  });
  assert.equal(actionOf(forward(terminate)).http.hostHeader, 'preserve');
});

test('what would split or misframe a message is refused with its path', () => {
  const edits = (request: object) => forward(terminate, { http: { headers: { request } } });
  const cases: [object, string][] = [
    [edits({ set: { 'x y': '1' } }), 'http.headers.request.set["x y"]'],
    [edits({ set: { 'x-a': 'a\r\nb: c' } }), 'http.headers.request.set["x-a"]'],
    [edits({ add: { 'x-a': ['a\0'] } }), 'http.headers.request.add["x-a"][0]'],
    [edits({ set: { 'Content-Length': '0' } }), 'http.headers.request.set["Content-Length"]'],
    [edits({ remove: ['transfer-encoding'] }), 'http.headers.request.remove[0]'],
    [edits({ set: { host: 'a' } }), 'http.headers.request.set.host'],
    [forward(terminate, { http: { hostHeader: 'a.test/x' } }), 'http.hostHeader'],
    [forward(terminate, { http: { stripPrefix: '/a/../b' } }), 'http.stripPrefix'],
    [{ type: 'respond', status: 200, headers: { 'x-a': '\n' } }, 'headers["x-a"]'],
    [{ type: 'respond', status: 200, headers: { connection: 'close' } }, 'headers.connection'],
    [{ type: 'respond', status: 199 }, 'status'],
    [{ type: 'respond', status: 600 }, 'status'],
    [{ type: 'redirect', to: 'https://{name}/' }, 'to'],
    [{ type: 'redirect', to: 'https://a.test/\r\nx' }, 'to'],
    [{ type: 'redirect', to: 'javascript:alert(1)' }, 'to'],
  ];
  for (const [action, field] of cases) {
    const found = problems(on443('a', {}, action));
    assert.equal(found.length, 1, found.join('\n'));
    assert.ok(found[0]!.startsWith(`routes[0].action.${field}: `), found[0]);
  }
  for (const to of ['https://{host}{path}{query}', '/new', '{path}', 'https://[::1]:8443/']) {
    assert.deepEqual(problems(on443('a', {}, { type: 'redirect', to })), [], to);
  }
});

test('request criteria and HTTP options need a mode that reads requests', () => {
  const passing = { mode: 'passthrough' };
  assert.deepEqual(problems(on443('a', { path: '/x' }, forward(passing))), [
    "routes[0].match.path: needs HTTP that SmartProxy can read (write tls: { mode: 'terminate' })",
  ]);
  const fields: [Route['action'], string][] = [
    [forward(passing, { http: {} }), 'http'],
    [forward(passing, { target: { ...target, protocol: 'http1' } }), 'target.protocol'],
    [forward(undefined, { target: undefined, targets: [{ ...target, tls: {} }] }), 'targets[0].tls'],
    [forward(terminate, { target: { ...target, tls: {} } }), 'target.tls'],
    [forward(terminate, { engine: 'nftables', target: { host: '10.0.0.1', port: 1 } }), 'tls'],
    [
      forward({ mode: 'terminate-and-reencrypt' }, { target: { ...target, tls: { certFile: '/c' } } }),
      'target.tls.keyFile',
    ],
  ];
  for (const [action, field] of fields) {
    const found = problems(on443('a', {}, action));
    assert.equal(found.length, 1, found.join('\n'));
    assert.ok(found[0]!.startsWith(`routes[0].action.${field}: `), found[0]);
  }
});

test('a route that reads requests offers nothing but HTTP by ALPN', () => {
  const offering = (alpn: string[]) => ({ alpn }) as const;
  const handler = { type: 'handler', handle() {} } as const;
  const strange: [Route['match'] | object, Route['action'], string][] = [
    [{}, forward({ ...terminate, alpn: ['h2', 'x-own'] }), 'alpn[1]'],
    [{}, { type: 'respond', status: 200, tls: offering(['x-own']) }, 'alpn[0]'],
    [{ path: '/x' }, { ...handler, tls: offering(['x-own']) }, 'alpn[0]'],
  ];
  for (const [match, action, field] of strange) {
    const found = problems(on443('a', match, action));
    assert.equal(found.length, 1, found.join('\n'));
    assert.ok(found[0]!.startsWith(`routes[0].action.tls.${field}: 'x-own' is no HTTP`), found[0]);
  }
  assert.match(
    problems(on443('a', { path: '/x' }, { ...handler, tls: offering(['x-own']) }))[0]!,
    /leave path, methods and headers out to get whole connections/,
  );
  for (const [match, action] of [
    [{}, { ...handler, tls: offering(['x-own']) }],
    [{ path: '/x' }, { ...handler, tls: offering(['http/1.1', 'h2']) }],
  ] as const) {
    assert.deepEqual(problems(on443('a', match, action as Route['action'])), []);
  }
});

test('routes without tls take it from the most specific route of their port and name', () => {
  const routes = resolveAll(
    on443('all', { domains: '*.test' }, forward(mutual)),
    on443('a', { domains: 'a.test' }, forward({ ...terminate, minVersion: 'TLSv1.3' })),
    on443('old', { domains: 'a.test', path: '/old' }, { type: 'redirect', to: '/' }),
    on443('blocked', { domains: 'b.test', clientIp: ['10.0.0.1'] }, { type: 'block' }),
    on443('said', { domains: 'a.test', path: '/x', protocol: 'tls' }, { type: 'respond', status: 200 }),
    on443('raw', { domains: 'c.example' }, { type: 'handler', handle() {} }),
  );
  const [, , old, blocked, said, raw] = routes;
  assert.deepEqual([old!.tls?.minVersion, old!.inheritsTls], ['TLSv1.3', true]);
  assert.deepEqual([blocked!.tls?.clientAuth?.ca, isPerRequest(blocked!)], ['/clients.pem', true]);
  assert.equal(said!.tls?.minVersion, 'TLSv1.3');
  assert.deepEqual([raw!.tls, raw!.match.protocol, isPerRequest(raw!)], [null, 'tls', false]);
  assert.equal(new Set(routes.map(trustDomain)).size, 3);
});

test('routes with names take clear text from their neighbours too', () => {
  for (const domains of [undefined, '*', '*.test', 'a.test'] as const) {
    const names = domains === undefined ? {} : { domains };
    const [, blocked] = resolveAll(
      on443('web', { protocol: 'http', ...names }, forward()),
      on443('blocked', { domains: 'a.test', clientIp: ['10.0.0.1'] }, { type: 'block' }),
    );
    assert.deepEqual([blocked!.match.protocol, isPerRequest(blocked!)], ['http', true], domains);
  }
});

test('the closest of the neighbours decides', () => {
  const routes = resolveAll(
    on443('catch-all', { protocol: 'http' }, { type: 'redirect', to: 'https://{host}{path}' }),
    on443('web', { domains: 'a.test' }, forward(terminate)),
    on443('old', { domains: 'a.test', path: '/old' }, { type: 'redirect', to: '/' }),
    on443('other', { domains: 'b.test', path: '/old' }, { type: 'redirect', to: '/' }),
  );
  assert.deepEqual(
    routes.map(({ match }) => match.protocol),
    ['http', 'tls', 'tls', 'http'],
  );
});

test('an answer for a name whose TLS is passed through is an error that says so', () => {
  const through = on443('through', { domains: 'a.test' }, forward({ mode: 'passthrough' }));
  assert.deepEqual(
    problems(through, on443('old', { domains: 'a.test', path: '/old' }, { type: 'redirect', to: '/' })),
    [
      "routes[1].match.protocol: 'old' needs requests that SmartProxy can read, and 'through' passes TLS of its port and name through (write tls: { certificate: 'local' } or such in its action, or protocol: 'http')",
    ],
  );
  assert.match(
    problems(on443('alone', { protocol: 'tls' }, { type: 'respond', status: 200 }))[0]!,
    /no route of its port and name ends TLS here/,
  );
});

test('passing TLS through and ending it for one name is an error, unless connections tell them apart', () => {
  const through = (match: Partial<Match> = {}) =>
    on443('through', { domains: 'a.test', ...match }, forward({ mode: 'passthrough' }));
  const ended = on443('ended', { domains: 'a.test', path: '/x' }, forward(terminate));
  assert.deepEqual(problems(through(), ended), [
    "routes[1]: 'ended' can never be chosen: 'through' matches all of its connections and comes first; whether TLS ends here for requests is settled before one can be read (remove one, or make their matches differ)",
  ]);
  assert.match(
    problems(ended, through())[0]!,
    /^routes\[1\]: 'through' can never be chosen: 'ended' .* before one can be read/,
  );
  for (const match of [{ alpn: ['acme-tls/1'] }, { clientIp: ['10.0.0.0/8'] }, { domains: 'b.test' }]) {
    assert.deepEqual(problems(through(match), ended), [], JSON.stringify(match));
  }
});

// T8
test('one name has one certificate and one way of asking for those of clients', () => {
  const first = on443('one', { domains: 'a.test' }, forward(terminate));
  const second = (tls: object, match: Partial<Match> = {}) =>
    on443('two', { domains: ['b.test', 'a.test'], path: '/x', ...match }, forward({ ...terminate, ...tls }));
  assert.deepEqual(problems(first, second({ clientAuth: { ca: '/ca' } })), [
    "routes[1].action.tls.clientAuth: 'one' asks for other client certificates for a.test on the same port; a handshake is over before a request can be read (write the same in both, or give them different names)",
  ]);
  const files = { certificate: { certFile: '/c', keyFile: '/k' } };
  assert.match(
    problems(first, second(files))[0]!,
    /tls\.certificate: 'one' shows another certificate for a\.test/,
  );
  assert.match(problems(first, second({ alpn: ['h2'] }))[0]!, /tls\.alpn: 'one' offers other protocols/);
  assert.match(problems(first, second({ minVersion: 'TLSv1.3' }))[0]!, /tls\.minVersion: /);
  assert.deepEqual(problems(first, second({ certificate: 'local' })), []);
  assert.deepEqual(problems(first, second(files, { ports: 444 })), []);
  assert.deepEqual(problems(first, second(files, { domains: '*.a.test' })), []);
});

test('a route for two names takes TLS from both only where they speak it alike', () => {
  const both = on443('both', { domains: ['a.test', 'b.test'], path: '/x' }, { type: 'redirect', to: '/' });
  const one = on443('one', { domains: 'a.test' }, forward(terminate));
  const two = (tls: object) => on443('two', { domains: 'b.test' }, forward(tls));
  assert.deepEqual(problems(one, two(terminate), both), []);
  assert.deepEqual(problems(one, two(mutual), both), [
    "routes[2].match.domains: belong to 'one' and to 'two', which speak TLS with clients in different ways (write a route for each)",
  ]);
});

test('paths, methods and headers that another route of the name covers are found', () => {
  const web = (name: string, match: Partial<Match>) =>
    on443(name, { domains: 'a.test', ...match }, forward(terminate));
  const dead: [Partial<Match>, Partial<Match>][] = [
    [{ path: '/x' }, { path: '/x' }],
    [{ path: ['/x', '/y'] }, { path: '/y' }],
    [{ methods: ['GET', 'POST'] }, { methods: ['GET'] }],
    [{ headers: { 'x-a': '1' } }, { headers: { 'X-A': '1' } }],
  ];
  for (const [one, other] of dead) {
    assert.equal(problems(web('one', one), web('two', other)).length, 1, JSON.stringify([one, other]));
  }
  const alive: [Partial<Match>, Partial<Match>][] = [
    [{ path: '/*' }, { path: '/x' }],
    [{ path: '/x/*' }, { path: '/x' }],
    [{ methods: ['GET'] }, { methods: ['POST'] }],
    [{ headers: { 'x-a': '1' } }, { headers: { 'x-a': '1', 'x-b': '2' } }],
    [{}, { path: '/x' }],
  ];
  for (const [one, other] of alive) {
    assert.deepEqual(problems(web('one', one), web('two', other)), [], JSON.stringify([one, other]));
  }
});

test('http and https share a port for one name', () => {
  const clear = on443(
    'clear',
    { domains: 'a.test', protocol: 'http' },
    { type: 'redirect', to: 'https://{host}{path}' },
  );
  assert.deepEqual(problems(on443('web', { domains: 'a.test' }, forward(terminate)), clear), []);
});

test('the loopback bridge needs a port and a secret, and they need it', () => {
  const found = (networkProxy: SmartProxyOptions['networkProxy']) =>
    problemsOf({ routes: [], networkProxy }, machine).map((problem) => problem.split(':')[0]);
  assert.deepEqual(found({ bridge: 'loopback' }), ['networkProxy.port', 'networkProxy.secretFile']);
  assert.deepEqual(found({ port: 1 }), ['networkProxy.port']);
  const [noPort, noSecret] = problemsOf({ routes: [], networkProxy: { bridge: 'loopback' } }, machine);
  assert.match(noPort!, /\(write a free port of this machine, such as 9440\)/);
  assert.match(noSecret!, /openssl rand -hex 32/);
  const loopback = { bridge: 'loopback', port: 1, secretFile: '/s' } as const;
  assert.deepEqual(found(loopback), []);
  assert.deepEqual(found({ admin: { listen: '127.0.0.1:1' } }), ['networkProxy.admin']);
  assert.deepEqual(found({ ...loopback, admin: { listen: 'nowhere' } }), ['networkProxy.admin.listen']);
  assert.deepEqual(found({ ...loopback, admin: { listen: '192.0.2.1:1' } }), ['networkProxy.admin.token']);
  const { options } = resolveOptions({ routes: [], trustForwarded: ['::ffff:10.0.0.1'] }, machine);
  const inProcess = { bridge: 'in-process', port: null, secretFile: null, admin: null };
  assert.deepEqual(options.networkProxy, inProcess);
  assert.deepEqual(options.trustForwarded, ['10.0.0.1/32']);
  assert.match(options.certificates.directory, /\/certificates$/);
});

test('the process with NetworkProxy has an admin API of its own', () => {
  const adminOf = (networkProxy: object, defaultAdmin: string | null = null) => {
    const written = { bridge: 'loopback', port: 1, secretFile: '/s', ...networkProxy } as const;
    const input = { routes: [], networkProxy: written, admin: { listen: 'unix:/a.sock' } };
    return resolveOptions(input, { ...machine, defaultAdmin }).options.networkProxy.admin;
  };
  assert.equal(adminOf({}), null);
  assert.deepEqual(adminOf({}, 'unix:/n.sock'), { listen: 'unix:/n.sock', token: null });
  assert.equal(adminOf({ admin: false }, 'unix:/n.sock'), null);
  assert.deepEqual(adminOf({ admin: { listen: 'localhost:9', token: 't' } }), {
    listen: '127.0.0.1:9',
    token: 't',
  });
  assert.throws(() => adminOf({ admin: { listen: 'unix:/a.sock' } }), /the two processes cannot share one/);
});

test('what only clients with a server name can reach is warned about', () => {
  const warned = warningsOf({ routes: [on443('w', { domains: '*.a.test' }, forward(terminate))] }, machine);
  assert.equal(warned.length, 1);
  assert.match(warned[0]!, /a wildcard certificate does not cover/);
});
