import * as fc from 'fast-check';
import type { Environment } from '../../src/config/environment.ts';
import { ConfigurationError, formatProblem } from '../../src/config/problems.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import type { Route } from '../../src/config/schema.ts';

/** A machine whose figures are known. */
export const machine: Environment = {
  descriptorLimit: 1000,
  memoryBytes: 1_600_000_000,
  variables: {},
  homeDirectory: '/home/somebody',
  defaultAdmin: null,
};

/** A valid route, changed as a test needs it. */
export function route(changes: Partial<Route> & { name?: string } = {}): Route {
  return {
    name: 'a',
    match: { ports: 8443 },
    action: { type: 'forward', target: { host: '10.0.0.1', port: 443 } },
    ...changes,
  };
}

/** All problems as `path: message (instead)`. */
export function problemsOf(input: unknown, environment: Environment = machine): string[] {
  try {
    resolveOptions(input, environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map((problem) => formatProblem(problem));
  }
}

/** All warnings, whether or not there are problems too. */
export function warningsOf(input: unknown, environment: Environment = machine): string[] {
  try {
    return resolveOptions(input, environment).warnings.map((warning) => formatProblem(warning));
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.warnings.map((warning) => formatProblem(warning));
  }
}

const labels = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const names = fc.tuple(labels, labels).map((parts) => parts.join('.'));
const addresses = fc.ipV4();

const forwards = fc.record(
  {
    type: fc.constant('forward' as const),
    target: fc.oneof(
      fc.record(
        {
          host: fc.oneof(names, addresses),
          port: fc.integer({ min: 1, max: 999 }),
          weight: fc.integer({ min: 1, max: 9 }),
        },
        { requiredKeys: ['host', 'port'] },
      ),
      fc.record({ socket: fc.constant('/run/app.sock') }),
    ),
    sendProxyProtocol: fc.constantFrom(1 as const, 2 as const),
  },
  { requiredKeys: ['type', 'target'] },
);

const actions = fc.oneof(
  forwards,
  fc.record({
    type: fc.constant('block' as const),
    how: fc.constantFrom('close' as const, 'reset' as const),
  }),
  fc.constant('handler' as const).map((type) => ({ type, handle: () => {} })),
);

const routes = fc.record(
  {
    match: fc.record(
      {
        domains: fc.oneof(
          names,
          fc.array(
            fc.oneof(
              names,
              names.map((name) => `*.${name}`),
            ),
            { minLength: 1, maxLength: 3 },
          ),
        ),
        clientIp: fc.array(addresses, { minLength: 1, maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
    action: actions,
    priority: fc.integer({ min: -5, max: 5 }),
    timeouts: fc.record({ connectMs: fc.nat(), inactivityMs: fc.nat() }, { requiredKeys: [] }),
    limits: fc.record(
      { maxConnections: fc.nat(), headerBytes: fc.integer({ min: 1, max: 99_999 }) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['match', 'action'] },
);

/** Valid configurations of any size: each route has a port of its own, from 1000 up. */
export const validOptions = fc.record(
  {
    routes: fc.array(routes, { maxLength: 5 }).map((list) =>
      list.map((entry, index) => ({
        name: `route-${index}`,
        ...entry,
        match: { ...entry.match, ports: 1000 + index },
      })),
    ),
    timeouts: fc.record({ initialDataMs: fc.nat(), connectMs: fc.nat() }, { requiredKeys: [] }),
    proxyProtocol: fc.record({ trustedSources: fc.array(addresses, { minLength: 1, maxLength: 2 }) }),
    admin: fc.oneof(fc.constant(false as const), fc.constant({ listen: '127.0.0.1:0' })),
    stateDirectory: fc.constant('/var/lib/smartproxy'),
  },
  { requiredKeys: ['routes'] },
);
