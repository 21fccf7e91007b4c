import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { resolveOptions } from '../../src/config/resolve.ts';
import type { Match, Route } from '../../src/config/schema.ts';
import { machine, problemsOf, route, validOptions, warningsOf } from './samples.ts';

function pair(first: Partial<Match>, second: Partial<Match>, priorities: [number, number] = [0, 0]): Route[] {
  return [
    route({ name: 'a', match: { ports: 443, ...first }, priority: priorities[0] }),
    route({ name: 'b', match: { ports: 443, ...second }, priority: priorities[1] }),
  ];
}

function shadowing(...pairArguments: Parameters<typeof pair>): string[] {
  return problemsOf({ routes: pair(...pairArguments) }, machine);
}

test('two routes of one name are told with both places', () => {
  assert.deepEqual(problemsOf({ routes: [route({ match: { ports: 1 } }), route({ match: { ports: 2 } })] }), [
    "routes[1].name: 'a' is the name of routes[0] too (give each route a name of its own)",
  ]);
});

test('a route that an equal one comes before is an error naming both', () => {
  assert.deepEqual(shadowing({ domains: 'x.test' }, { domains: 'X.test.' }), [
    "routes[1]: 'b' can never be chosen: 'a' matches all of its connections and comes first (remove one, or make their matches differ)",
  ]);
});

test('a route that a wider one of a higher priority covers is an error', () => {
  const wider: [Partial<Match>, Partial<Match>][] = [
    [{}, { clientIp: ['10.0.0.1'] }],
    [{}, { domains: 'x.test' }],
    [{ domains: '*.test' }, { domains: ['x.test', '*.y.test'] }],
    [{ domains: '*' }, { domains: 'x.test' }],
    [{ clientIp: ['10.0.0.0/8'] }, { clientIp: ['10.1.0.0/16', '10.2.3.4'] }],
    [{}, { address: '127.0.0.1' }],
    [{ protocol: 'tls' }, { alpn: ['h2'] }],
    [{ protocol: 'tcp' }, { protocol: 'http', path: '/x' }],
  ];
  for (const [first, second] of wider) {
    assert.deepEqual(
      shadowing(first, second, [1, 0]),
      [
        "routes[1]: 'b' can never be chosen: 'a' matches all of its connections and has a higher priority (remove one, or make their matches differ)",
      ],
      JSON.stringify([first, second]),
    );
    assert.deepEqual(
      shadowing(first, second, [0, 0]),
      [],
      `more specific: ${JSON.stringify([first, second])}`,
    );
    assert.deepEqual(shadowing(first, second, [0, 1]), []);
  }
});

test('fewer ports are not more specific', () => {
  const [many, few] = [{ ports: { from: 400, to: 500 } }, { ports: [443, 450] }];
  assert.match(shadowing(many, few)[0]!, /^routes\[1\]: 'b' can never be chosen: 'a' .* comes first/);
  assert.deepEqual(shadowing(few, many), []);
});

test('routes that differ in what they match are fine', () => {
  const different: [Partial<Match>, Partial<Match>][] = [
    [{ domains: 'x.test' }, { domains: 'y.test' }],
    [{ domains: ['x.test'] }, { domains: ['x.test', 'y.test'] }],
    [{ domains: '*.x.test' }, { domains: 'x.test' }],
    [{ ports: 443 }, { ports: [443, 444] }],
    [{ clientIp: ['10.0.0.0/16'] }, { clientIp: ['10.0.0.0/8'] }],
    [{ address: '127.0.0.1' }, { address: '127.0.0.2' }],
    [{ alpn: ['h2'] }, { alpn: ['h2', 'x'] }],
    [{ protocol: 'tls' }, { protocol: 'tcp' }],
    [{ ports: 0 }, { ports: 0 }],
  ];
  for (const [first, second] of different)
    assert.deepEqual(shadowing(first, second), [], JSON.stringify([first, second]));
});

test('a route without a name is dead beside a more specific one for every name, whatever the order', () => {
  assert.deepEqual(shadowing({ protocol: 'tls' }, { domains: '*' }), [
    "routes[0]: 'a' can never be chosen: 'b' matches all of its connections and is more specific ('*' goes before no name) (remove one, or make their matches differ)",
  ]);
});

test('names go before paths: beside a route for every name a path without a name is dead', () => {
  const every: Partial<Match> = { protocol: 'http', domains: '*' };
  const path: Partial<Match> = { protocol: 'http', path: '/alive' };
  assert.match(shadowing(every, path)[0]!, /^routes\[1\]: 'b' can never be chosen: 'a' .* is more specific/);
  assert.match(shadowing(path, every)[0]!, /^routes\[0\]: 'a' can never be chosen/);
  assert.deepEqual(shadowing(every, { ...path, domains: '*' }), []);
  assert.deepEqual(shadowing({ protocol: 'http' }, path), []);
  assert.deepEqual(shadowing({ ...every, methods: ['GET'] }, path), []);
});

test('on port 0 routes with names share a port, plain TCP has its own', () => {
  assert.equal(shadowing({ ports: 0, domains: 'x.test' }, { ports: 0, domains: 'x.test' }).length, 1);
  assert.equal(shadowing({ ports: 0 }, { ports: 0 }).length, 0);
});

test('a target that is the proxy itself is an error', () => {
  const loop = (host: string, port: number | 'preserve', match: Partial<Match> = {}) =>
    problemsOf({
      routes: [
        route({
          name: 'in',
          match: { ports: 8443, ...match },
          action: { type: 'forward', target: { host, port } },
        }),
        route({ name: 'other', match: { ports: 9000, address: '10.0.0.5' } }),
      ],
    });
  for (const host of [
    '127.0.0.1',
    'localhost',
    '::1',
    '0.0.0.0',
    '::',
    '127.9.9.9',
    '[::1]',
    '::ffff:127.0.0.1',
  ]) {
    assert.equal(loop(host, 8443).length, 1, host);
    assert.equal(loop(host, 'preserve').length, 1, host);
  }
  assert.deepEqual(loop('10.0.0.5', 9000), [
    "routes[0].action.target: 10.0.0.5, port 9000, is SmartProxy itself: 'other' listens there (write where the server behind it listens)",
  ]);
  for (const [host, port] of [
    ['127.0.0.1', 9000],
    ['127.0.0.1', 8444],
    ['10.0.0.6', 9000],
    ['a.test', 8443],
  ] as const) {
    assert.deepEqual(loop(host, port), [], `${host} ${port}`);
  }
  assert.deepEqual(loop('127.0.0.2', 8443, { address: '127.0.0.1' }), []);
  assert.equal(loop('0.0.0.0', 8443, { address: '127.0.0.1' }).length, 1);
});

test('a loop is told where it is written, also in a list of targets and hosts', () => {
  const targets = [
    { host: ['10.0.0.1', '10.0.0.2'], port: 8443 },
    { host: ['10.0.0.3', 'localhost'], port: 8443 },
  ];
  const [problem] = problemsOf({ routes: [route({ action: { type: 'forward', targets } })] });
  assert.match(problem!, /^routes\[0\]\.action\.targets\[1\]: localhost, port 8443, is SmartProxy itself/);
});

test('a route that could be TLS or clear HTTP of the same port and name is asked to say which', () => {
  const target = { host: '10.0.0.1', port: 1 };
  const routes = [
    route({
      name: 'tls',
      match: { ports: 443, domains: 'a.test' },
      action: { type: 'forward', target, tls: { mode: 'terminate' } },
    }),
    route({ name: 'clear', match: { ports: 443, domains: 'a.test', protocol: 'http' } }),
    route({
      name: 'old',
      match: { ports: 443, domains: 'a.test', path: '/old' },
      action: { type: 'redirect', to: '/new' },
    }),
  ];
  assert.deepEqual(problemsOf({ routes }, machine), [
    "routes[2].match.protocol: is missing: its port for a.test is used with TLS ('tls') and without ('clear'), and 'old' could belong to either (write protocol: 'tls' or 'http')",
  ]);
  const first = resolveOptions({ routes: [routes[0], routes[2]] }, machine).options.routes[1];
  assert.equal(first!.match.protocol, 'tls');
  const second = resolveOptions({ routes: [routes[1], routes[2]] }, machine).options.routes[1];
  assert.equal(second!.match.protocol, 'http');
});

// L18
test('plain TCP beside TLS on one port warns that servers which speak first wait', () => {
  const [tls, tcp] = pair({ protocol: 'tls' }, { protocol: 'tcp' });
  assert.deepEqual(warningsOf({ routes: [tls, tcp] }), [
    "routes[1].match.ports: 'b' shares a port with 'a', which needs the client's first bytes: protocols in which the server speaks first wait there for initialDataMs (give it a port of its own if its server speaks first)",
  ]);
  assert.deepEqual(warningsOf({ routes: pair({ protocol: 'tls' }, { protocol: 'tcp', ports: 444 }) }), []);
  const apart = pair(
    { protocol: 'tls', clientIp: ['10.0.0.0/8'] },
    { protocol: 'tcp', clientIp: ['11.0.0.0/8'] },
  );
  assert.deepEqual(warningsOf({ routes: apart }), []);
});

test('a copy of any route behind it is always found to be dead', () => {
  fc.assert(
    fc.property(validOptions, (options) => {
      const [first] = options.routes;
      fc.pre(first !== undefined);
      const problems = problemsOf({ routes: [...options.routes, { ...first, name: 'copy' }] });
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0]!, /'copy' can never be chosen: 'route-0'/);
    }),
  );
});
