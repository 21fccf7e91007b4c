import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { resolveOptions } from '../../src/config/resolve.ts';
import type { ResolvedMatch, ResolvedRoute } from '../../src/config/resolved.ts';
import type { Match, Route } from '../../src/config/schema.ts';
import { machine, problemsOf, route, validOptions, warningsOf } from './samples.ts';

function resolveOne(changes: Partial<Route>, environment = machine): ResolvedRoute {
  return resolveOptions({ routes: [route(changes)] }, environment).options.routes[0]!;
}

function matchOf(match: Partial<Match>, environment = machine): ResolvedMatch {
  return resolveOne({ match: { ports: 8443, ...match } }, environment).match;
}

const block = { type: 'block' } as const;

test('every deadline and limit has the default of the contract', () => {
  const { options } = resolveOptions({ routes: [] }, machine);
  assert.deepEqual(options.timeouts, {
    initialDataMs: 15_000,
    connectMs: 5_000,
    tlsHandshakeMs: 10_000,
    inactivityMs: 3_600_000,
    halfCloseMs: 300_000,
    stalledWriteMs: 300_000,
    maxLifetimeMs: 0,
    cleanupGraceMs: 2_000,
    shutdownGraceMs: 30_000,
    requestHeadMs: 30_000,
    requestBodyMs: 60_000,
    keepAliveMs: 75_000,
    responseHeadMs: 60_000,
    responseWriteMs: 60_000,
    poolIdleMs: 4_000,
  });
  assert.deepEqual(options.limits, {
    maxConnections: 400,
    maxConnectionsPerIp: 0,
    connectionsPerMinutePerIp: 0,
    initialDataBytes: 65_536,
    pendingBytesPerConnection: 1_048_576,
    headerBytes: 65_536,
    relayBufferBytes: 100_000_000,
  });
  const large = resolveOptions({ routes: [] }, { ...machine, memoryBytes: 2 ** 40 }).options;
  assert.equal(large.limits.relayBufferBytes, 256 * 1024 * 1024);
});

test('a route has its own values over those of the process over the defaults, and no counts but its own', () => {
  const { options } = resolveOptions(
    {
      timeouts: { connectMs: 1, inactivityMs: 2 },
      limits: { headerBytes: 3, maxConnections: 4, maxConnectionsPerIp: 5 },
      routes: [route({ timeouts: { connectMs: 6 }, limits: { maxConnectionsPerIp: 7 } })],
    },
    machine,
  );
  const [only] = options.routes;
  assert.deepEqual(
    [only!.timeouts.connectMs, only!.timeouts.inactivityMs, only!.timeouts.halfCloseMs],
    [6, 2, 300_000],
  );
  assert.deepEqual(
    [only!.limits.headerBytes, only!.limits.maxConnections, only!.limits.maxConnectionsPerIp],
    [3, 0, 7],
  );
  assert.deepEqual([options.limits.maxConnections, options.limits.maxConnectionsPerIp], [4, 5]);
});

test('undefined means the same as nothing', () => {
  const loose = {
    timeouts: { connectMs: undefined },
    log: undefined,
    routes: [route({ priority: undefined } as never)],
  };
  const tight = { routes: [route()] };
  assert.deepEqual(resolveOptions(loose, machine).options, resolveOptions(tight, machine).options);
});

test('names become lower-case ASCII without a trailing dot, once each', () => {
  assert.deepEqual(matchOf({ domains: ['A.Test.', 'a.test', '*.Bücher.test', '*'] }).domains, [
    'a.test',
    '*.xn--bcher-kva.test',
    '*',
  ]);
});

// P6
test('addresses and CIDRs get their one spelling', () => {
  const match = matchOf({
    address: '::FFFF:127.0.0.1',
    clientIp: ['::ffff:10.0.0.1', '2001:DB8::/32', '10.1.2.3/8'],
  });
  assert.equal(match.address, '127.0.0.1');
  assert.deepEqual(match.clientIp, ['10.0.0.1/32', '2001:db8::/32', '10.0.0.0/8']);
  const { options } = resolveOptions(
    { routes: [], proxyProtocol: { trustedSources: ['::ffff:10.0.0.0/104'] } },
    machine,
  );
  assert.deepEqual(options.trustedSources, ['10.0.0.0/8']);
});

test('ports are sorted and merged, and 0 stays by itself', () => {
  assert.deepEqual(matchOf({ ports: [9000, { from: 8000, to: 8005 }, 8006, 8003, 0, 1, 0] }).ports, [
    { from: 0, to: 0 },
    { from: 1, to: 1 },
    { from: 8000, to: 8006 },
    { from: 9000, to: 9000 },
  ]);
});

test('a list of hosts is spelled out as equal targets', () => {
  const { action } = resolveOne({
    action: {
      type: 'forward',
      targets: [{ host: ['A.test', '[::1]'], port: 80, weight: 3 }, { socket: '/run/x' }],
    },
  });
  const clear = { protocol: 'auto', tls: null };
  assert.ok(action.type === 'forward');
  assert.deepEqual(action.targets, [
    { ...clear, host: 'a.test', port: 80, socket: null, weight: 3, dns: 'system' },
    { ...clear, host: '::1', port: 80, socket: null, weight: 3, dns: 'system' },
    { ...clear, host: null, port: null, socket: '/run/x', weight: 1, dns: 'system' },
  ]);
});

test('the protocol is what the other fields imply', () => {
  const forward = route().action;
  const passthrough = { ...forward, tls: { mode: 'passthrough' } } as Route['action'];
  const cases: [Partial<Match>, Route['action'], string][] = [
    [{}, forward, 'tcp'],
    [{ domains: 'a.test' }, forward, 'tls'],
    [{ alpn: ['h2'] }, forward, 'tls'],
    [{}, passthrough, 'tls'],
    [{ path: '/x' }, forward, 'http'],
    [{ methods: ['GET'] }, forward, 'http'],
    [{ domains: 'a.test', headers: { 'x-a': '1' } }, forward, 'http'],
    [{ protocol: 'http', domains: 'a.test' }, forward, 'http'],
    [{}, { type: 'redirect', to: 'https://{host}' }, 'http'],
    [{}, { type: 'respond', status: 200 }, 'http'],
    [{}, { type: 'respond', status: 200, tls: {} }, 'tls'],
    [{}, block, 'tcp'],
    [{ domains: 'a.test' }, block, 'tls'],
  ];
  for (const [match, action, protocol] of cases) {
    const resolved = resolveOne({ match: { ports: 1, ...match }, action }, machine);
    assert.equal(resolved.match.protocol, protocol, JSON.stringify([match, action]));
  }
});

test('forwarding by name without tls is passthrough', () => {
  const named = resolveOne({ match: { ports: 1, domains: 'a.test' } }).action;
  const nameless = resolveOne({}).action;
  assert.deepEqual(
    [named, nameless].map((action) => action.type === 'forward' && action.tls),
    ['passthrough', 'none'],
  );
});

test('a block without a name takes TLS from the routes on its port', () => {
  const tls = route({
    name: 'tls',
    action: { type: 'forward', target: { host: '10.0.0.1', port: 1 }, tls: { mode: 'passthrough' } },
  });
  const blocked = (ports: number) =>
    route({ name: 'no', match: { ports, clientIp: ['10.9.0.0/16'] }, action: block });
  const protocolBeside = (ports: number) =>
    resolveOptions({ routes: [tls, blocked(ports)] }, machine).options.routes[1]!.match.protocol;
  assert.deepEqual([protocolBeside(8443), protocolBeside(9000)], ['tls', 'tcp']);
});

test('names and ALPN on plain TCP are an error', () => {
  assert.deepEqual(
    problemsOf({
      routes: [route({ match: { ports: 1, protocol: 'tcp', domains: 'a.test', alpn: ['h2'] } })],
    }),
    [
      "routes[0].match.domains: cannot be told on protocol 'tcp' (leave domains out, or write protocol: 'tls')",
      "routes[0].match.alpn: cannot be told on protocol 'tcp' (leave alpn out, or write protocol: 'tls')",
    ],
  );
});

test('a protocol that contradicts tls, and request criteria that cannot be read, are errors', () => {
  const action = { type: 'forward', target: { host: 'a', port: 1 }, tls: { mode: 'passthrough' } } as const;
  assert.deepEqual(
    problemsOf({ routes: [route({ match: { ports: 1, protocol: 'tcp', path: '/x' }, action })] }, machine),
    [
      "routes[0].match.protocol: 'tcp' contradicts action.tls (leave it out, or write 'tls')",
      "routes[0].match.path: needs HTTP that SmartProxy can read (write tls: { mode: 'terminate' })",
    ],
  );
});

test('a forward has exactly one of target and targets', () => {
  const target = { host: 'a', port: 1 };
  assert.deepEqual(
    problemsOf({ routes: [route({ action: { type: 'forward', target, targets: [target] } })] }),
    ['routes[0].action.targets: is given beside target (keep one of them)'],
  );
  assert.deepEqual(problemsOf({ routes: [route({ action: { type: 'forward' } })] }), [
    "routes[0].action.target: is missing (write target: { host: '127.0.0.1', port: 3000 }, or targets)",
  ]);
});

test('a target is a host and a port, or a socket', () => {
  const of = (target: object) =>
    problemsOf({ routes: [route({ action: { type: 'forward', targets: [target] } })] });
  const at = 'routes[0].action.targets[0]';
  assert.deepEqual(of({}), [`${at}: says nowhere to go (write host and port, or socket)`]);
  assert.deepEqual(of({ port: 1 }), [`${at}.host: is missing (write a host such as '127.0.0.1')`]);
  assert.deepEqual(of({ host: 'a' }), [`${at}.port: is missing (write a port, or 'preserve')`]);
  assert.deepEqual(of({ host: 'a', socket: '/x' }), [
    `${at}.socket: is given beside host or port (keep socket alone, or host and port)`,
  ]);
  for (const weight of [0, -1, 1001, 1.5]) assert.equal(of({ host: 'a', port: 1, weight }).length, 1);
});

test('a PROXY header cannot be sent by the kernel', () => {
  const action = { ...route().action, engine: 'nftables', sendProxyProtocol: 2 } as Route['action'];
  assert.deepEqual(problemsOf({ routes: [route({ action })] }, machine), [
    "routes[0].action.sendProxyProtocol: cannot be done with engine 'nftables': the kernel adds no bytes (leave it out, or write engine: 'node')",
  ]);
});

test('the admin API needs a token wherever other machines can reach it', () => {
  const admin = (listen: string, token?: string) =>
    problemsOf({ routes: [], admin: { listen, ...(token !== undefined && { token }) } });
  for (const listen of ['127.0.0.1:9901', '[::1]:9901', 'localhost:0', 'unix:/run/x.sock'])
    assert.deepEqual(admin(listen), []);
  assert.deepEqual(admin('0.0.0.0:9901'), [
    "admin.token: is missing: 0.0.0.0:9901 can be reached from other machines (write a secret text, or listen on '127.0.0.1')",
  ]);
  assert.deepEqual(admin('0.0.0.0:9901', 'secret'), []);
  for (const listen of ['9901', ':9901', 'a.test:9901', 'unix:x', '::1:9901', '127.0.0.1:99999']) {
    assert.equal(admin(listen, 'secret').length, 1, listen);
  }
});

test('the admin API and the state directory have the defaults of the environment', () => {
  const resolve = (variables: Record<string, string>, defaultAdmin: string | null = null) =>
    resolveOptions({ routes: [] }, { ...machine, variables, defaultAdmin }).options;
  assert.equal(resolve({}).admin, null);
  assert.deepEqual(resolve({}, 'unix:/run/x.sock').admin, { listen: 'unix:/run/x.sock', token: null });
  assert.equal(resolve({}).stateDirectory, '/home/somebody/.local/state/smartproxy');
  assert.equal(resolve({ XDG_STATE_HOME: '/s' }).stateDirectory, '/s/smartproxy');
  assert.equal(resolve({ XDG_STATE_HOME: '/s', STATE_DIRECTORY: '/v/a:/v/b' }).stateDirectory, '/v/a');
});

test('a bound that is off is warned about', () => {
  assert.deepEqual(
    warningsOf({ routes: [route({ limits: { relayBufferBytes: 1 } })], limits: { headerBytes: 0 } }),
    [
      'routes[0].limits.relayBufferBytes: has no effect in a route: the buffers are shared by all connections (write it in the limits of the process)',
      'limits.headerBytes: 0 removes the bound on the memory that one client can take',
    ],
  );
});

test('what a handshake of the target cannot heed is warned of', () => {
  const target = { host: '127.0.0.1', port: 1 };
  const tls = { mode: 'passthrough', certificate: 'local', clientAuth: { ca: '/ca.pem' } } as const;
  const found = warningsOf({ routes: [route({ action: { type: 'forward', target, tls } })] });
  assert.deepEqual(
    found.map((text) => text.split(':')[0]),
    ['routes[0].action.tls.certificate', 'routes[0].action.tls.clientAuth'],
  );
  assert.match(found[0]!, /no effect where TLS is passed through/);
});

test('a wildcard whose certificate covers one label is warned about, and an address as a name', () => {
  const action = { ...route().action, tls: { mode: 'terminate' } } as Route['action'];
  assert.equal(
    warningsOf({ routes: [route({ match: { ports: 1, domains: '*.a.test' }, action })] }, machine).length,
    1,
  );
  assert.deepEqual(warningsOf({ routes: [route({ match: { ports: 1, domains: '*.a.test' } })] }), []);
  assert.equal(warningsOf({ routes: [route({ match: { ports: 1, domains: ['127.0.0.1'] } })] }).length, 1);
});

test('what comes out is frozen to the ground, and what went in is not touched', () => {
  const input = { routes: [route({ match: { ports: [2, 1], domains: ['A.test'] }, timeouts: {} })] };
  const before = structuredClone(input);
  const { options } = resolveOptions(input, machine);
  assert.deepEqual(input, before);
  assert.ok(!Object.isFrozen(input.routes[0]!.match));
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    assert.ok(Object.isFrozen(value));
    Object.values(value).forEach(visit);
  };
  visit(options);
});

test('every valid configuration resolves, and to the same thing again', () => {
  fc.assert(
    fc.property(validOptions, (input) => {
      const { options } = resolveOptions(input, machine);
      assert.equal(options.routes.length, input.routes.length);
      assert.deepEqual(resolveOptions(input, machine).options, options);
      for (const [index, resolved] of options.routes.entries()) {
        assert.equal(resolved.order, index);
        assert.equal(resolved.priority, input.routes[index]!.priority ?? 0);
        assert.ok(resolved.action.type !== 'forward' || resolved.action.targets.length > 0);
      }
    }),
  );
});
