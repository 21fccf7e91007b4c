import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { problemsOf, route, validOptions } from './samples.ts';

test('an unknown key is told with its path and the nearest right name', () => {
  assert.deepEqual(problemsOf({ routes: [route({ match: { ports: 1, domain: 'a.test' } as never })] }), [
    "routes[0].match.domain: unknown key (did you mean 'domains'?)",
  ]);
});

test('an unknown key that is like no other is told with those that are known', () => {
  assert.deepEqual(problemsOf({ routes: [], log: { colour: true } }), [
    'log.colour: unknown key (known here: level, connections, requests)',
  ]);
});

test('all problems are told at once, in different routes and of different kinds', () => {
  const problems = problemsOf({
    rutes: [],
    routes: [
      route({ match: { ports: 70_000 } }),
      route({ name: 'b', match: { ports: 1 }, action: { type: 'forward' } }),
      route({ name: 'b', match: { ports: 2 } }),
    ],
    timeouts: { connectMs: -1 },
  });
  assert.deepEqual(problems, [
    'routes[0].match.ports: 70000 is not allowed here (write a port from 0 to 65535)',
    'timeouts.connectMs: -1 is not allowed here (write a whole number of milliseconds, 0 or more)',
    "rutes: unknown key (did you mean 'routes'?)",
    "routes[1].action.target: is missing (write target: { host: '127.0.0.1', port: 3000 }, or targets)",
    "routes[2].name: 'b' is the name of routes[1] too (give each route a name of its own)",
  ]);
});

test('a duration with a unit is told in milliseconds', () => {
  for (const [text, value] of [
    ['30s', 30_000],
    ['1.5 min', 90_000],
    ['250ms', 250],
    ['2h', 7_200_000],
    ['40', 40],
  ] as const) {
    assert.deepEqual(problemsOf({ routes: [], timeouts: { connectMs: text } }), [
      `timeouts.connectMs: "${text}" is not allowed here (write a whole number of milliseconds, 0 or more: ${value})`,
    ]);
  }
});

test('a size with a unit is told in bytes', () => {
  assert.deepEqual(
    problemsOf({ routes: [], limits: { headerBytes: '64KiB', initialDataBytes: '1 parsec' } }),
    [
      'limits.initialDataBytes: "1 parsec" is not allowed here (write a whole number of bytes, 0 or more)',
      'limits.headerBytes: "64KiB" is not allowed here (write a whole number of bytes, 0 or more: 65536)',
    ],
  );
});

test('fractions, negative numbers and null are no durations', () => {
  for (const value of [1.5, -1, null, Number.NaN, Number.POSITIVE_INFINITY, true, {}]) {
    assert.equal(problemsOf({ routes: [], timeouts: { connectMs: value } }).length, 1, String(value));
  }
});

test('an action is judged by its type alone', () => {
  const wrong = { type: 'forward', target: { host: '10.0.0.1', port: 'preserved' } };
  assert.deepEqual(problemsOf({ routes: [route({ action: wrong as never })] }), [
    `routes[0].action.target.port: "preserved" is not allowed here (write a port from 1 to 65535, 'preserve', or a function)`,
  ]);
});

test('a type that does not exist is told with those that do', () => {
  assert.deepEqual(problemsOf({ routes: [route({ action: { type: 'forwrad' } as never })] }), [
    "routes[0].action.type: \"forwrad\" is not allowed here (did you mean 'forward'? one of 'forward', 'redirect', 'respond', 'block', 'handler')",
  ]);
  assert.deepEqual(problemsOf({ routes: [route({ action: {} as never })] }), [
    "routes[0].action.type: is missing (write one of 'forward', 'redirect', 'respond', 'block', 'handler')",
  ]);
});

test('where alternatives exist, the one that was meant is judged', () => {
  const tls = { mode: 'terminate', certificate: { certFile: 'a.pem' } };
  const action = { type: 'forward', target: { host: 'a', port: 1 }, tls };
  assert.deepEqual(problemsOf({ routes: [route({ action: action as never })] }), [
    "routes[0].action.tls.certificate.keyFile: is missing (write a path, such as '/etc/smartproxy/a.pem')",
  ]);
  assert.deepEqual(problemsOf({ routes: [route({ match: { ports: [1, { from: 9, to: 3 }] } })] }), [
    'routes[0].match.ports[1]: an object is not allowed here (write a range whose `from` is not above its `to`)',
  ]);
});

test('a function is told to be one that only a program can have', () => {
  assert.deepEqual(
    problemsOf({ routes: [route({ action: { type: 'handler', handle: 'x.js' } as never })] }),
    [
      'routes[0].action.handle: "x.js" is not allowed here (write a function (stream, context), in a TypeScript or JavaScript configuration)',
    ],
  );
});

test('names that cannot be names are refused', () => {
  for (const domain of [
    '',
    'a..b',
    '*a.test',
    'a.*.test',
    '*.*.test',
    'a b',
    'https://a.test',
    'a.test:443',
    '-a.test',
    `${'a'.repeat(64)}.test`,
  ]) {
    assert.equal(problemsOf({ routes: [route({ match: { ports: 1, domains: domain } })] }).length, 1, domain);
  }
});

test('addresses and CIDRs that cannot be any are refused', () => {
  for (const text of ['10.0.0.0/33', '300.1.1.1', 'a.test', '', '::/129']) {
    assert.equal(problemsOf({ routes: [route({ match: { ports: 1, clientIp: [text] } })] }).length, 1, text);
    assert.equal(
      problemsOf({ routes: [route()], proxyProtocol: { trustedSources: [text] } }).length,
      1,
      text,
    );
  }
  assert.deepEqual(problemsOf({ routes: [route({ match: { ports: 1, address: 'localhost' } })] }), [
    'routes[0].match.address: "localhost" is not allowed here (write an IP address of this machine, such as \'127.0.0.1\', or nothing for all of them)',
  ]);
});

test('what is no configuration at all is refused with one sentence', () => {
  for (const input of [undefined, null, 5, 'x', [], () => {}]) {
    assert.equal(problemsOf(input).length, 1);
  }
  assert.deepEqual(problemsOf({}), ['routes: is missing (write a list of routes)']);
});

test('secrets of a wrong type are not printed', () => {
  const problems = problemsOf({ routes: [], admin: { listen: '127.0.0.1:0', token: 12345678 } });
  assert.deepEqual(problems, ['admin.token: this value is not allowed here (write a secret text)']);
});

test('an unknown key anywhere in any valid configuration is told with its path', () => {
  fc.assert(
    fc.property(validOptions, fc.nat(), (options, choice) => {
      const places = objectsIn(options, '');
      const { path, value } = places[choice % places.length]!;
      value.qqqqqqqqqq = 1;
      const problems = problemsOf(options);
      delete value.qqqqqqqqqq; // constants of the generator are shared between runs
      const expected = path === '' ? 'qqqqqqqqqq' : `${path}.qqqqqqqqqq`;
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.ok(problems[0]!.startsWith(`${expected}: unknown key (known here: `), problems[0]);
    }),
  );
});

test('whatever stands anywhere in a configuration, it is accepted or told, never a crash', () => {
  fc.assert(
    fc.property(validOptions, fc.nat(), fc.nat(), fc.anything(), (options, place, field, nonsense) => {
      const objects = objectsIn(options, '');
      const { value } = objects[place % objects.length]!;
      const keys = Object.keys(value);
      const key = keys[field % Math.max(keys.length, 1)] ?? 'x';
      value[key] = nonsense;
      for (const problem of problemsOf(options)) assert.match(problem, /^[^\n]+$/);
    }),
    { numRuns: 500 },
  );
});

function objectsIn(value: unknown, path: string): { path: string; value: Record<string, unknown> }[] {
  if (Array.isArray(value)) return value.flatMap((entry, index) => objectsIn(entry, `${path}[${index}]`));
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.entries(value).flatMap(([key, entry]) =>
    objectsIn(entry, path === '' ? key : `${path}.${key}`),
  );
  return [{ path, value: value as Record<string, unknown> }, ...inner];
}
