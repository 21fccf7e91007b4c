import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ResolvedTarget, RouteContext } from '../../src/config/resolved.ts';
import { TargetSelector } from '../../src/targets/target-selector.ts';
import { TargetSelectors } from '../../src/targets/target-selectors.ts';
import { routesOf } from '../routing/routes.ts';

const context: RouteContext = {
  connectionId: 'c1',
  client: { ip: '10.0.0.1', port: 40_000 },
  localPort: 8443,
  route: 'web',
  tls: false,
  signal: new AbortController().signal,
};
const none: ReadonlySet<number> = new Set();
const unchanged = { remove: [], set: [], add: [] };

function target(sketch: Partial<ResolvedTarget>): ResolvedTarget {
  return {
    host: '127.0.0.1',
    port: 3000,
    socket: null,
    weight: 1,
    dns: 'system',
    protocol: 'auto',
    tls: null,
    ...sketch,
  };
}

function weighted(...weights: number[]): TargetSelector {
  return new TargetSelector(weights.map((weight, i) => target({ weight, port: 3000 + i })));
}

/** The index of a selection that must be there and at once. */
function indexOf(selection: ReturnType<TargetSelector['next']>): number {
  assert.ok(selection !== null && 'index' in selection);
  return selection.index;
}

async function failureOf(sketch: Partial<ResolvedTarget>): Promise<string> {
  const selection = await new TargetSelector([target(sketch)]).next(context, none);
  assert.ok(selection !== null && 'failed' in selection);
  return String(selection.error);
}

describe('TargetSelector', () => {
  it('takes equal targets in turn', () => {
    const selector = weighted(1, 1, 1);
    assert.deepEqual(
      Array.from({ length: 6 }, () => indexOf(selector.next(context, none))),
      [0, 1, 2, 0, 1, 2],
    );
  });

  it('spreads the turns of a heavy target out', () => {
    const selector = weighted(5, 1, 1);
    assert.deepEqual(
      Array.from({ length: 7 }, () => indexOf(selector.next(context, none))),
      [0, 0, 1, 0, 2, 0, 0],
    );
  });

  it('gives each target its weight in every full round', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }), (weights) => {
        const selector = weighted(...weights);
        const round = weights.reduce((sum, weight) => sum + weight, 0);
        for (let i = 0; i < 3; i++) {
          const counts = weights.map(() => 0);
          for (let turn = 0; turn < round; turn++) counts[indexOf(selector.next(context, none))]! += 1;
          assert.deepEqual(counts, weights);
        }
      }),
    );
  });

  it('leaves out what was tried, until nothing is left', () => {
    const selector = weighted(1, 5, 1);
    const tried = new Set<number>();
    for (let i = 0; i < 3; i++) tried.add(indexOf(selector.next(context, tried)));
    assert.deepEqual([...tried].sort(), [0, 1, 2]);
    assert.equal(selector.next(context, tried), null);
    assert.equal(new TargetSelector([]).next(context, none), null);
    assert.equal(indexOf(weighted(0, 1).next(context, none)), 1);
    assert.equal(weighted(0).next(context, none), null);
  });

  it('gives fixed endpoints at once: address, name, unix socket, the same port', () => {
    const endpoint = (sketch: Partial<ResolvedTarget>): unknown => {
      const selection = new TargetSelector([target(sketch)]).next(context, none);
      assert.ok(selection !== null && 'endpoint' in selection);
      return selection.endpoint;
    };
    assert.deepEqual(endpoint({}), { host: '127.0.0.1', port: 3000, dns: 'system' });
    assert.deepEqual(endpoint({ host: 'db.test', dns: 'resolver' }), {
      host: 'db.test',
      port: 3000,
      dns: 'resolver',
    });
    assert.deepEqual(endpoint({ host: null, port: null, socket: '/run/app.sock' }), {
      socket: '/run/app.sock',
    });
    assert.deepEqual(endpoint({ port: 'preserve' }), { host: '127.0.0.1', port: 8443, dns: 'system' });
    assert.deepEqual(endpoint({ host: () => '[::1]' }), { host: '::1', port: 3000, dns: 'system' });
    assert.deepEqual(endpoint({ host: () => 'fe80::1%eth0' }), {
      host: 'fe80::1%eth0',
      port: 3000,
      dns: 'system',
    });
  });

  it('asks functions with the context of the connection, and waits only for promises', async () => {
    const seen: RouteContext[] = [];
    const host = (given: RouteContext): string => {
      seen.push(given);
      return 'tenant.test';
    };
    const atOnce = new TargetSelector([target({ host, port: ({ localPort }) => localPort + 1 })]).next(
      context,
      none,
    );
    assert.deepEqual(atOnce, { index: 0, endpoint: { host: 'tenant.test', port: 8444, dns: 'system' } });
    assert.deepEqual(seen, [context]);
    const later = [
      target({ host: async () => 'tenant.test' }),
      target({ host: 'tenant.test', port: async () => 3000 }),
      target({ host: async () => 'tenant.test', port: async () => 3000 }),
    ];
    for (const one of later) {
      const selection = new TargetSelector([one]).next(context, none);
      assert.ok(selection instanceof Promise);
      assert.deepEqual(await selection, {
        index: 0,
        endpoint: { host: 'tenant.test', port: 3000, dns: 'system' },
      });
    }
  });

  it('gives a failure for a function that throws or rejects, and leaves no rejection unheard', async () => {
    const unheard: unknown[] = [];
    const listen = (error: unknown): void => void unheard.push(error);
    process.on('unhandledRejection', listen);
    const fail = (): never => {
      throw new Error('no tenant');
    };
    const reject = async (): Promise<never> => fail();
    const sketches: Partial<ResolvedTarget>[] = [
      { host: fail },
      { port: fail },
      { host: reject },
      { port: reject },
      { host: reject, port: reject },
      { host: reject, port: fail },
      { host: async () => 'a.test', port: fail },
    ];
    for (const sketch of sketches) assert.equal(await failureOf(sketch), 'Error: no tenant');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);
    assert.deepEqual(unheard, []);
  });

  it('gives a failure for what is no host or no port', async () => {
    const hosts: unknown[] = [
      '',
      ' ',
      'a b',
      'a/b',
      'a:1',
      'a..b',
      '-a',
      'a\0',
      'x'.repeat(254),
      undefined,
      null,
      7,
      {},
      ['a'],
    ];
    for (const host of hosts)
      assert.match(await failureOf({ host: () => host as string }), /the target's host is/);
    const ports: unknown[] = [0, -1, 65_536, 1.5, Number.NaN, '80', undefined, null];
    for (const port of ports)
      assert.match(await failureOf({ port: async () => port as number }), /the target's port is/);
    assert.equal(
      await failureOf({ host: async () => 'a b' }),
      'SmartProxyError: the target\'s host is "a b", not a host name or an address',
    );
  });
});

describe('TargetSelectors', () => {
  it('keeps one selector for each route', () => {
    const [plain, other] = routesOf({}, {});
    assert.ok(plain && other);
    const route = {
      ...plain,
      action: {
        type: 'forward',
        targets: [target({})],
        tls: 'none',
        engine: 'node',
        nftables: null,
        sendProxyProtocol: 0,
        http: {
          headers: { request: unchanged, response: unchanged },
          hostHeader: 'preserve',
          stripPrefix: null,
        },
      },
    } as const;
    const selectors = new TargetSelectors();
    assert.equal(selectors.of(route), selectors.of(route));
    assert.notEqual(selectors.of(route), selectors.of(other));
    assert.equal(indexOf(selectors.of(route).next(context, none)), 0);
    assert.equal(selectors.of(other).next(context, none), null);
  });
});
