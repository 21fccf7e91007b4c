import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ConfigurationError } from '../../src/config/problems.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import type { ResolvedRoute } from '../../src/config/resolved.ts';
import { RouteMemory } from '../../src/config/route-memory.ts';
import { machine, route, validOptions } from './samples.ts';

/** What a configuration comes to, or everything that is said against it. */
function outcome(input: unknown, memory?: RouteMemory): unknown {
  try {
    return resolveOptions(input, machine, memory);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { problems: error.problems, warnings: error.warnings };
  }
}

function read(memory: RouteMemory, ...routes: unknown[]): readonly ResolvedRoute[] {
  return resolveOptions({ routes }, machine, memory).options.routes;
}

const target = (port: number) => ({ type: 'forward', target: { host: '10.0.0.1', port } }) as const;
const one = () => route({ name: 'one', match: { ports: 1 } });
const two = () => route({ name: 'two', match: { ports: 2 } });

/** Edits of a list of routes, as people make them; some of them are mistakes. */
const edits = fc.constantFrom<(routes: Record<string, unknown>[]) => Record<string, unknown>[]>(
  (routes) => routes.slice(1),
  (routes) => routes.toReversed(),
  (routes) => [...routes, ...copies(routes.slice(0, 1))],
  (routes) => routes.map((entry, index) => (index === 0 ? { ...entry, priority: 7 } : entry)),
  (routes) => routes.map((entry, index) => (index === 1 ? { ...entry, colour: 'red' } : entry)),
  (routes) => routes.map((entry, index) => (index === 0 ? { ...entry, name: undefined } : entry)),
  (routes) => routes.map((entry) => ({ ...entry, timeouts: { connectMs: 9 } })),
  (routes) => [{ name: 'new', match: { ports: 9 }, action: { type: 'block' } }, ...routes],
  (routes) => Object.assign(new Array(routes.length + 1), routes),
);

/** With the same functions. */
function copies(value: Record<string, unknown>[]): Record<string, unknown>[] {
  return value.map((entry) => ({ ...entry }));
}

test('whatever was read before, a configuration comes to the same', () => {
  fc.assert(
    fc.property(validOptions, validOptions, fc.array(edits, { maxLength: 6 }), (first, second, steps) => {
      const memory = new RouteMemory();
      let input: Record<string, unknown> = first;
      const check = () => assert.deepEqual(outcome(input, memory), outcome(input));
      check();
      for (const step of steps) {
        input = { ...input, routes: step(input.routes as Record<string, unknown>[]) };
        check();
      }
      input = { ...second, routes: [...first.routes, ...second.routes] };
      check();
      input = second;
      check();
    }),
  );
});

test('a route that is written as before is the same object, wherever it stands now', () => {
  const memory = new RouteMemory();
  const [first, second] = read(memory, one(), two());
  const [same, changed] = read(memory, one(), { ...two(), action: target(444) });
  assert.equal(same, first);
  assert.notEqual(changed, second);
  const [moved, other] = read(memory, { ...two(), action: target(444) }, one());
  assert.deepEqual(moved, { ...changed, order: 0 });
  assert.deepEqual(other, { ...first, order: 1 });
  assert.equal(other?.match, first?.match);
});

test('what somebody changes in his own objects is seen', () => {
  const memory = new RouteMemory();
  const mine = one();
  read(memory, mine);
  mine.match.ports = 99;
  assert.deepEqual(read(memory, mine)[0]?.match.ports, [{ from: 99, to: 99 }]);
});

test('another function is another route, of the same source or not', () => {
  const memory = new RouteMemory();
  const handler = () => ({ ...one(), action: { type: 'handler' as const, handle: () => {} } });
  const [before] = read(memory, handler());
  const [after] = read(memory, handler());
  assert.notEqual(after, before);
  assert.equal(after?.fingerprint, before?.fingerprint);
});

test('what routes take from the process is taken anew where it changes', () => {
  const memory = new RouteMemory();
  const routes = [one()];
  const withDeadline = (connectMs: number) =>
    resolveOptions({ routes, timeouts: { connectMs } }, machine, memory).options.routes[0];
  const before = withDeadline(5);
  assert.equal(withDeadline(5), before);
  assert.equal(withDeadline(6)?.timeouts.connectMs, 6);
});

test('what an object inherits, hides or says in another order is no secret', () => {
  const memory = new RouteMemory();
  const answer = (headers: object) => ({ ...one(), action: { type: 'respond', status: 200, headers } });
  const defaults = {};
  const heir = () => Object.assign(Object.create(defaults), { ...one(), name: 'heir', match: { ports: 3 } });
  const hiding = (priority: unknown) =>
    Object.defineProperty({ ...two() }, 'priority', { value: priority, enumerable: false });
  const both = (routes: unknown[]) => assert.deepEqual(outcome({ routes }, memory), outcome({ routes }));
  both([answer({ 'X-A': '1', 'x-a': '2' }), two(), heir()]);
  both([answer({ 'x-a': '2', 'X-A': '1' }), two(), heir()]);
  Object.assign(defaults, { security: { allow: ['10.0.0.0/8'] } });
  both([one(), hiding(9), heir()]);
  both([one(), hiding('x'), heir()]);
});

test('a configuration that was refused leaves the memory of the one before', () => {
  const memory = new RouteMemory();
  const [first] = read(memory, one(), two());
  assert.throws(() => read(memory, { ...one(), colour: 'red' }, two()));
  assert.throws(() => read(memory, one(), { ...two(), match: one().match, name: 'one' }));
  assert.equal(read(memory, one(), two())[0], first);
});

test('a route that is doubtful is doubtful at every reading', () => {
  const memory = new RouteMemory();
  const doubtful = { ...one(), limits: { headerBytes: 0 } };
  const warnings = () => resolveOptions({ routes: [doubtful] }, machine, memory).warnings.length;
  assert.equal(warnings(), 1);
  assert.equal(warnings(), 1);
});
