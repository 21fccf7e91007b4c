/** Configurations of routes for the kernel: valid ones, as different as can be, and attempts to break out. */
import * as fc from 'fast-check';
import type { Environment } from '../../../src/config/environment.ts';
import { isKernelRoute } from '../../../src/config/kernel-route.ts';
import { ConfigurationError } from '../../../src/config/problems.ts';
import { resolveOptions } from '../../../src/config/resolve.ts';
import type { Route, SmartProxyOptions } from '../../../src/config/schema.ts';
import { compileRuleset, type MachineNetworks } from '../../../src/nftables/compile-ruleset.ts';
import { chooseOwner } from '../../../src/nftables/marks.ts';
import { RouteNumbers } from '../../../src/nftables/route-numbers.ts';
import type { Ruleset } from '../../../src/nftables/ruleset.ts';
import { configuredInput } from '../../../src/nftables/show.ts';
import { ownerComment } from '../../../src/nftables/table-owner.ts';

export const machine: Environment = {
  descriptorLimit: 1000,
  memoryBytes: 1_600_000_000,
  variables: {},
  homeDirectory: '/home/somebody',
  defaultAdmin: null,
};

const ipv4 = fc.ipV4().filter((address) => !/^(0|22[4-9]|23\d|255)\./.test(address));
const ipv6 = fc
  .tuple(fc.constantFrom('2001:db8', 'fd12:3456'), fc.integer({ min: 0, max: 0xffff }), fc.nat(0xffff))
  .map(([prefix, middle, last]) => `${prefix}:${middle.toString(16)}::${last.toString(16)}`);
const addresses = fc.oneof(ipv4, ipv6);

const cidrs = fc.oneof(
  addresses,
  fc.tuple(ipv4, fc.nat(32)).map(([address, prefix]) => `${address}/${prefix}`),
  fc.tuple(ipv6, fc.nat(128)).map(([address, prefix]) => `${address}/${prefix}`),
  ipv4.map((address) => `::ffff:${address}`),
  // Near each other, so that blocks lie in blocks.
  fc.tuple(fc.nat(3), fc.integer({ min: 6, max: 32 })).map(([part, prefix]) => `10.${part}.0.0/${prefix}`),
);
const cidrList = fc.array(cidrs, { minLength: 1, maxLength: 12 });

const port = fc.oneof(fc.integer({ min: 1, max: 65_535 }), fc.integer({ min: 8000, max: 8020 }));
const range = fc.tuple(port, port).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
const ports = fc.oneof(port, range, fc.array(fc.oneof(port, range), { minLength: 1, maxLength: 4 }));

const count = fc.oneof(
  fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.integer({ min: 1, max: 100_000 }),
);
const limits = fc.record(
  { maxConnections: count, maxConnectionsPerIp: count, connectionsPerMinutePerIp: count },
  { requiredKeys: [] },
);
const milliseconds = fc.oneof(fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER), fc.nat(10_000_000));
const timeouts = fc.record({ inactivityMs: milliseconds, halfCloseMs: milliseconds }, { requiredKeys: [] });

const target = (keptPort: boolean) =>
  fc.record(
    {
      host: fc.oneof(
        addresses,
        ipv6.map((address) => `[${address}]`),
        fc.constantFrom('127.0.0.1', '::1'),
      ),
      port: keptPort ? fc.constant('preserve' as const) : fc.integer({ min: 1, max: 65_535 }),
      weight: fc.integer({ min: 1, max: 1000 }),
    },
    { requiredKeys: ['host', 'port'] },
  );

const action = fc.boolean().chain((keptPort) =>
  fc.record(
    {
      type: fc.constant('forward' as const),
      engine: fc.constant('nftables' as const),
      targets: fc.array(target(keptPort), { minLength: 1, maxLength: 5 }),
      nftables: fc.record(
        {
          source: fc.constantFrom('masquerade' as const, 'keep' as const),
          balance: fc.constantFrom('in-turn' as const, 'client-address' as const),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['type', 'engine', 'targets'] },
  ),
);

/** Everything that is allowed in a name, and much of it is of use to somebody who wants to break out. */
const names = fc.oneof(
  fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter((name) => /^[^\p{Cc}]+$/u.test(name)),
  fc.constantFrom(
    'web',
    '"; flush ruleset; "',
    "' } delete table inet x",
    '$(reboot)',
    '`id`',
    '# } {',
    '\\',
  ),
);

const route = fc.record(
  {
    name: names,
    match: fc.record({ ports, address: addresses, clientIp: cidrList }, { requiredKeys: ['ports'] }),
    priority: fc.integer({ min: -3, max: 3 }),
    action,
    security: fc.record({ allow: cidrList, block: cidrList }, { requiredKeys: [] }),
    limits,
    timeouts,
  },
  { requiredKeys: ['name', 'match', 'action'] },
);

const instances = fc.stringMatching(/^[a-z0-9_]{1,32}$/);

const options = fc.record(
  { routes: fc.array(route, { minLength: 1, maxLength: 8 }), limits, instance: instances },
  { requiredKeys: ['routes', 'instance'] },
);

const networks = fc.record({
  networks: fc.array(cidrs, { maxLength: 6 }),
  routesLoopback: fc.boolean(),
});

/** What a configuration compiles to; undefined where it is refused, as routes that can never be chosen are. */
export function compile(
  input: SmartProxyOptions,
  machineNetworks: MachineNetworks,
  numbers = new RouteNumbers(),
): Ruleset | undefined {
  const resolved = resolve(input);
  if (resolved === undefined) return undefined;
  const configured = configuredInput(resolved);
  const { instance } = configured;
  const owner = chooseOwner(instance, new Set()) ?? 0;
  const names = resolved.routes.filter(isKernelRoute).map(({ name }) => name);
  return compileRuleset({
    ...configured,
    owner,
    comment: ownerComment({ instance, owner, process: 4_194_304, since: '123456789' }),
    numbers: numbers.assign(names),
    machine: machineNetworks,
  });
}

function resolve(input: SmartProxyOptions) {
  try {
    return resolveOptions(input, machine).options;
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

/** What a ruleset is made of. */
const inputs = fc.tuple(options, networks).map(([{ instance, ...rest }, machineNetworks]) => ({
  input: { ...rest, nftables: { instance } } as SmartProxyOptions,
  machineNetworks,
}));

/** A ruleset of a valid configuration. */
export const rulesets: fc.Arbitrary<Ruleset> = inputs
  .map(({ input, machineNetworks }) => compile(input, machineNetworks))
  .filter((ruleset) => ruleset !== undefined);

/** Rulesets that one process might have, one after the other: a route keeps its number. */
export function successiveRulesets(count: number, seed: number): Ruleset[] {
  const numbers = new RouteNumbers();
  return fc.sample(inputs, { numRuns: count * 3, seed }).flatMap(({ input, machineNetworks }) => {
    const ruleset = compile({ ...input, nftables: { instance: 'x' } }, machineNetworks, numbers);
    return ruleset === undefined ? [] : [ruleset];
  });
}

/** A valid configuration with a text in every field that has one. */
export function sample(): SmartProxyOptions & { routes: Route[] } {
  return {
    nftables: { instance: 'sample' },
    routes: [
      {
        name: 'web',
        match: { ports: [80, { from: 8000, to: 8010 }], address: '10.0.0.1', clientIp: ['10.0.0.0/8'] },
        action: {
          type: 'forward',
          engine: 'nftables',
          targets: [
            { host: '10.0.0.2', port: 80 },
            { host: ['10.0.0.3', '10.0.0.4'], port: 81, weight: 2 },
          ],
          nftables: { source: 'keep', balance: 'in-turn' },
        },
        security: { allow: ['10.0.0.0/9'], block: ['10.0.0.9'] },
        limits: { maxConnectionsPerIp: 3 },
        timeouts: { inactivityMs: 1000 },
      },
    ],
  };
}

/** Ends of statements, blocks, strings and lines, in the hands of somebody who means harm. */
export const attacks = [
  '; flush ruleset',
  '\nflush ruleset\n',
  ' } ; delete table inet x ; table inet y {',
  '" ; add table inet injected ; "',
  '# comment',
  '$variable',
  '`id`',
  '$(id)',
  ' . 0-65535',
  ', 0.0.0.0/0',
  '/0 : goto accept',
  '\\\n',
  '\0',
  '\u2028flush ruleset',
  '@routes',
  'include "/etc/passwd"',
  '{{}}',
  '-255.255.255.255',
  ' comment "x"',
];
