import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveOptions } from '../../src/config/resolve.ts';
import type { Match, Route, Target } from '../../src/config/schema.ts';
import { machine, problemsOf, route, warningsOf } from './samples.ts';

type Changes = Partial<Omit<Route, 'match' | 'action'>> & { match?: Partial<Match>; action?: object };

function kernelRoute({ match, action, ...changes }: Changes = {}): Route {
  return route({
    match: { ports: 8443, ...match },
    action: {
      type: 'forward',
      engine: 'nftables',
      target: { host: '10.0.0.1', port: 443 },
      ...action,
    } as Route['action'],
    ...changes,
  });
}

function problems(changes: Changes): string[] {
  return problemsOf({ routes: [kernelRoute(changes)] }, machine);
}

function targetProblems(target: Partial<Target>): string[] {
  return problems({ action: { target: { host: '10.0.0.1', port: 443, ...target } } });
}

test('a route of addresses and ports is for the kernel', () => {
  const changes = {
    match: { ports: [80, { from: 8000, to: 8010 }], address: '::', clientIp: ['10.0.0.0/8', 'fd00::/8'] },
    action: {
      target: undefined,
      targets: [
        { host: '10.0.0.1', port: 80, weight: 3 },
        { host: '[fd00::1]', port: 80 },
      ],
      nftables: { source: 'keep', balance: 'client-address' },
    },
    security: { block: ['10.0.0.9'] },
    limits: { maxConnections: 10 },
    timeouts: { inactivityMs: 5000, halfCloseMs: 1000, maxLifetimeMs: 1, shutdownGraceMs: 0 },
  };
  assert.deepEqual(problems(changes), []);
  assert.deepEqual(warningsOf({ routes: [kernelRoute(changes)] }, machine), []);
  const { options } = resolveOptions({ routes: [kernelRoute()] }, machine);
  const [resolved] = options.routes;
  assert.ok(resolved?.action.type === 'forward');
  assert.deepEqual(resolved.action.nftables, { source: 'masquerade', balance: 'in-turn' });
  assert.deepEqual(options.nftables, {
    instance: 'main',
    manageSysctls: false,
    keepOnExit: false,
    maxFlows: 0,
  });
});

test('what only the bytes tell, the kernel cannot ask for', () => {
  const reads: [Partial<Match>, RegExp][] = [
    [
      { domains: 'a.test' },
      /^routes\[0\]\.match\.domains: cannot be told by the kernel, which reads no bytes/,
    ],
    [{ alpn: ['h2'] }, /^routes\[0\]\.match\.alpn: cannot be told/],
    [{ path: '/x' }, /^routes\[0\]\.match\.path: cannot be told/],
    [{ methods: ['GET'] }, /^routes\[0\]\.match\.methods: cannot be told/],
    [{ headers: { a: 'b' } }, /^routes\[0\]\.match\.headers: cannot be told/],
    [{ protocol: 'tls' }, /^routes\[0\]\.match\.protocol: 'tls' cannot be told/],
    [{ protocol: 'http' }, /^routes\[0\]\.match\.protocol: 'http' cannot be told/],
    [{ ports: 0 }, /^routes\[0\]\.match\.ports: 0 is no port for engine 'nftables'.*\(write a port\)$/],
  ];
  for (const [match, message] of reads) {
    const found = problems({ match });
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] as string, message);
  }
});

test('what changes the bytes, the kernel cannot do', () => {
  for (const [field, value] of [
    ['tls', { mode: 'terminate' }],
    ['tls', { mode: 'passthrough' }],
    ['http', { stripPrefix: '/x' }],
    ['sendProxyProtocol', 2],
  ] as const) {
    const found = problems({ action: { [field]: value } });
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] as string, new RegExp(`^routes\\[0\\]\\.action\\.${field}: .*'nftables'`));
  }
});

test('targets are addresses of machines', () => {
  const wrong: [Partial<Target>, RegExp][] = [
    [
      { host: 'a.test' },
      /action\.target\.host: 'a\.test' is a name, and the kernel asks no DNS \(write an address/,
    ],
    [{ host: 'localhost' }, /action\.target\.host: 'localhost' is a name/],
    [{ host: ['10.0.0.1', 'b.test'] }, /action\.target\.host: 'b\.test' is a name/],
    [{ host: '0.0.0.0' }, /0\.0\.0\.0 is no address of one machine/],
    [{ host: '224.0.0.1' }, /224\.0\.0\.1 is no address of one machine/],
    [{ host: 'ff02::1' }, /ff02::1 is no address of one machine/],
    [{ host: 'fe80::1' }, /fe80::1 is no address of one machine/],
    [{ host: () => '10.0.0.1' }, /action\.target\.host: cannot be a function/],
    [{ port: () => 80 }, /action\.target\.port: cannot be a function/],
    [{ dns: 'resolver' }, /action\.target\.dns: is not for engine 'nftables'/],
    [{ protocol: 'http1' }, /action\.target\.protocol: is not for engine 'nftables'/],
    [{ tls: {} }, /action\.target\.tls: is not for engine 'nftables'/],
  ];
  for (const [target, message] of wrong) {
    const found = targetProblems(target);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] as string, message);
  }
  const socket = problems({ action: { target: { socket: '/run/a.sock' } } });
  assert.deepEqual(socket, [
    "routes[0].action.target.socket: is no place for packets (write host and port, or engine: 'node')",
  ]);
});

test('several targets keep the port, or none does', () => {
  const targets = [
    { host: '10.0.0.1', port: 'preserve' },
    { host: '10.0.0.2', port: 80 },
  ];
  const range = { from: 8000, to: 8001 };
  assert.match(
    problems({ match: { ports: range }, action: { target: undefined, targets } })[0] as string,
    /^routes\[0\]\.action\.targets\[0\]\.port: is 'preserve', and other targets have a port of their own/,
  );
  assert.deepEqual(problems({ action: { target: undefined, targets } }), [], 'one port is known beforehand');
});

test('nothing is translated between IPv4 and IPv6', () => {
  for (const match of [{ address: 'fd00::9' }, { clientIp: ['fd00::/8'] }]) {
    const [problem] = problems({ match });
    assert.match(
      problem as string,
      /no target of 'a' can be reached.*does not translate between IPv4 and IPv6/,
    );
  }
  assert.deepEqual(problems({ match: { clientIp: ['fd00::/8', '10.0.0.0/8'] } }), []);
});

test('a port belongs to the kernel or to this process', () => {
  const beside = (match: Match, action: Route['action'] = { type: 'block' }): string[] =>
    problemsOf({ routes: [kernelRoute(), route({ name: 'b', match, action })] }, machine);
  assert.deepEqual(beside({ ports: { from: 8000, to: 9000 } }), [
    "routes[0].match.ports: 'a' shares a port with 'b', which this process listens for: the kernel takes connections before it sees them (give it ports of its own, or the same engine to both)",
  ]);
  assert.equal(beside({ ports: 8443, domains: 'a.test' }).length, 1);
  assert.deepEqual(beside({ ports: 8444 }), []);
});

test('what has no effect in the kernel is told', () => {
  const routes = [
    kernelRoute({
      timeouts: { connectMs: 1, keepAliveMs: 1 },
      limits: { headerBytes: 1, relayBufferBytes: 1 },
    }),
  ];
  assert.deepEqual(
    warningsOf({ routes, proxyProtocol: { trustedSources: ['10.0.0.0/8'] } }, machine).map(
      (warning) => warning.split(':')[0],
    ),
    [
      'routes[0].timeouts.connectMs',
      'routes[0].timeouts.keepAliveMs',
      'routes[0].limits.headerBytes',
      'routes[0].limits.relayBufferBytes',
      'routes[0].action.engine',
    ],
  );
});

test('settings of the kernel are for routes that it forwards', () => {
  const [problem] = problemsOf({
    routes: [route({ action: { ...kernelRoute().action, engine: 'node', nftables: {} } as Route['action'] })],
  });
  assert.match(problem as string, /^routes\[0\]\.action\.nftables: says how the kernel forwards/);
  assert.match(
    problemsOf({ routes: [], nftables: { instance: 'x; flush ruleset' } })[0] as string,
    /^nftables\.instance: .* is not allowed here/,
  );
});
