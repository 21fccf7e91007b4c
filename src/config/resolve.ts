import { join } from 'node:path';
import type * as z from 'zod';
import { formatAdminListen, isLocalOnly, parseAdminListen } from './admin-listen.ts';
import { checkAutomatic } from './check-automatic.ts';
import { checkKernelRoutes } from './check-kernel-routes.ts';
import { checkLoops } from './check-loops.ts';
import { checkRoute, uncappedBuffers } from './check-route.ts';
import { checkRoutes } from './check-routes.ts';
import type { Environment } from './environment.ts';
import { type Inherits, impliedProtocol } from './implied-protocol.ts';
import { inheritProtocols } from './inherit-protocol.ts';
import { ConfigurationError, type Findings, type Problem } from './problems.ts';
import { cidrs, defined, type ProcessValues, resolveRoute } from './resolve-route.ts';
import type { ResolvedNetworkProxy, ResolvedNftables, ResolvedOptions, ResolvedRoute } from './resolved.ts';
import { type ReadRoute, RouteMemory } from './route-memory.ts';
import { defaultLimits, defaultTimeouts } from './schema/deadlines-and-limits.ts';
import { optionsSchema, type Route, type SmartProxyOptions } from './schema.ts';
import { shapeProblems, withoutUnknownKeys } from './validate.ts';
import { isPlainObject } from './written-alike.ts';

/**
 * Checks a configuration and spells it out: every default filled in, names and addresses in their
 * one spelling, and frozen.
 * @param input what a program or a file gives; nothing is assumed of it, and it is not changed
 * @param memory of the configuration that this one takes the place of
 * @throws ConfigurationError with all problems that it can find, not only the first
 */
export function resolveOptions(
  input: unknown,
  environment: Environment,
  memory?: RouteMemory,
): { options: ResolvedOptions; warnings: Problem[] } {
  const findings: Findings = { problems: [], warnings: [] };
  const entries = entriesOf(input);
  const former = memory ?? new RouteMemory();
  const written = readParts(input, entries, former, findings.problems);
  const process = former.buildOn({
    timeouts: { ...defaultTimeouts, ...defined(written.timeouts) },
    limits: { ...defaultLimits(environment), ...defined(written.limits) },
  });
  const { routes, flawless } = resolveRoutes(written.routes, process, former, findings);
  const trustedSources = cidrs(written.proxyProtocol?.trustedSources);
  for (const { problems, warnings } of [
    checkAutomatic(routes, written.certificates?.acme ?? null),
    checkKernelRoutes(routes, trustedSources),
  ]) {
    findings.problems.push(...problems);
    findings.warnings.push(...warnings);
  }
  const admin = resolveAdmin(written.admin, 'admin', environment, findings.problems);
  const networkProxy = resolveNetworkProxy(written, environment, findings.problems);
  findings.warnings.push(...uncappedBuffers(written.limits, 'limits'));
  if (findings.problems.length > 0)
    throw new ConfigurationError(findings.problems, { warnings: findings.warnings });
  memory?.keep(flawless, entries, process);
  const stateDirectory = written.stateDirectory ?? defaultStateDirectory(environment);
  const options: ResolvedOptions = {
    routes,
    ...process,
    trustedSources,
    admin,
    log: { level: 'info', connections: true, requests: false, ...defined(written.log) },
    metrics: written.metrics ?? true,
    stateDirectory,
    trustForwarded: cidrs(written.trustForwarded),
    networkProxy,
    nftables: resolveNftables(written),
    certificates: {
      directory: written.certificates?.directory ?? join(stateDirectory, 'certificates'),
      acme: written.certificates?.acme ?? null,
      renewBeforeDays: written.certificates?.renewBeforeDays ?? null,
    },
  };
  return { options: deepFreeze(options), warnings: findings.warnings };
}

/** The parts of `input` whose shape is right: enough to go on looking for problems in them. */
interface UsableParts extends Partial<Omit<SmartProxyOptions, 'routes'>> {
  /** By their place in the configuration. */
  routes: Map<number, Route>;
}

/** Reading twice takes twice as long, and there may be 100,000 routes: parts are read one by one only where a whole is not. */
function readParts(
  input: unknown,
  entries: readonly unknown[],
  memory: RouteMemory,
  problems: Problem[],
): UsableParts {
  const known = isPlainObject(input) ? entries.map((entry) => memory.writtenLike(entry)) : [];
  const isAllUnknown = known.every((route) => route === undefined);
  const unknown = entries.filter((_, order) => known[order] === undefined);
  const whole = optionsSchema.safeParse(isAllUnknown ? input : { ...(input as object), routes: unknown });
  if (whole.success) {
    const fresh = whole.data.routes.values();
    const routes = isAllUnknown ? whole.data.routes : known.map((route) => route ?? fresh.next().value!);
    return { ...defined(whole.data), routes: new Map(routes.entries()) };
  }
  problems.push(...shapeProblems(optionsSchema, input));
  return usableParts(input, entries);
}

function usableParts(input: unknown, entries: readonly unknown[]): UsableParts {
  const parts: Record<string, unknown> = {};
  const given = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>;
  for (const [name, schema] of Object.entries(optionsSchema.shape)) {
    if (name !== 'routes') parts[name] = usable(schema, given[name]);
  }
  const routes = new Map<number, Route>();
  for (const [order, entry] of entries.entries()) {
    const route = usable(optionsSchema.shape.routes.element, entry);
    if (route !== undefined) routes.set(order, route);
  }
  return { ...(defined(parts) as Partial<SmartProxyOptions>), routes };
}

/** Also where nothing was written, or nothing of use. */
function entriesOf(input: unknown): unknown[] {
  const { routes } = Object(input) as { routes?: unknown };
  return Array.isArray(routes) ? Array.from<unknown>(routes) : [];
}

function usable<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | undefined {
  const result = schema.safeParse(value);
  return result.success ? result.data : schema.safeParse(withoutUnknownKeys(value, result.error)).data;
}

function readRoute(written: Route, order: number, process: ProcessValues, findings: Findings): ReadRoute {
  const { problems, warnings } = checkRoute(written, `routes[${order}]`);
  findings.problems.push(...problems);
  findings.warnings.push(...warnings);
  const { inherits } = impliedProtocol(written);
  return { written, inherits, resolved: resolveRoute(written, order, process) };
}

function resolveRoutes(
  written: ReadonlyMap<number, Route>,
  process: ProcessValues,
  memory: RouteMemory,
  findings: Findings,
): { routes: ResolvedRoute[]; flawless: ReadRoute[] } {
  const inheriting = new Map<number, Inherits>();
  const alone: ResolvedRoute[] = [];
  const flawless: ReadRoute[] = [];
  for (const [order, route] of written) {
    const said = findings.problems.length + findings.warnings.length;
    const read = memory.recall(route, order, process) ?? readRoute(route, order, process, findings);
    if (findings.problems.length + findings.warnings.length === said) flawless.push(read);
    if (read.inherits !== 'nothing') inheriting.set(order, read.inherits);
    alone.push(read.resolved);
  }
  const together = inheritProtocols(alone, inheriting);
  const { problems, warnings } = checkRoutes(together.routes);
  findings.problems.push(...together.problems, ...problems, ...checkLoops(together.routes, written));
  findings.warnings.push(...warnings);
  return { routes: together.routes, flawless };
}

function resolveAdmin(
  admin: SmartProxyOptions['admin'],
  path: string,
  environment: Environment,
  problems: Problem[],
): ResolvedOptions['admin'] {
  if (admin === false) return null;
  if (admin === undefined) {
    return environment.defaultAdmin === null ? null : { listen: environment.defaultAdmin, token: null };
  }
  const listen = parseAdminListen(admin.listen);
  if (listen === undefined) {
    problems.push({
      path: `${path}.listen`,
      message: `${JSON.stringify(admin.listen)} is no place to listen`,
      instead: "write an address and a port such as '127.0.0.1:9901', or 'unix:/path'",
    });
    return null;
  }
  if (!isLocalOnly(listen) && admin.token === undefined) {
    problems.push({
      path: `${path}.token`,
      message: `is missing: ${admin.listen} can be reached from other machines`,
      instead: "write a secret text, or listen on '127.0.0.1'",
    });
  }
  return { listen: formatAdminListen(listen), token: admin.token ?? null };
}

function resolveNftables({ nftables, limits }: UsableParts): ResolvedNftables {
  return {
    instance: nftables?.instance ?? 'main',
    manageSysctls: nftables?.manageSysctls ?? false,
    keepOnExit: nftables?.keepOnExit ?? false,
    maxFlows: limits?.maxConnections ?? 0,
  };
}

function resolveNetworkProxy(
  { networkProxy, admin }: UsableParts,
  environment: Environment,
  problems: Problem[],
): ResolvedNetworkProxy {
  problems.push(...checkNetworkProxy(networkProxy));
  const bridge = networkProxy?.bridge ?? 'in-process';
  const { port = null, secretFile = null } = networkProxy ?? {};
  if (bridge === 'in-process') return { bridge, port, secretFile, admin: null };
  const path = 'networkProxy.admin';
  const other = resolveAdmin(networkProxy?.admin, path, environment, problems);
  if (other !== null && admin && networkProxy?.admin && isSamePlace(other.listen, admin.listen)) {
    problems.push({
      path: `${path}.listen`,
      message: "is where SmartProxy's own admin API listens (admin.listen)",
      instead: 'write another place: the two processes cannot share one',
    });
  }
  return { bridge, port, secretFile, admin: other };
}

function isSamePlace(one: string, other: string): boolean {
  const listen = parseAdminListen(other);
  return listen !== undefined && formatAdminListen(listen) === one && !one.endsWith(':0');
}

const bridgeExamples = {
  port: 'write a free port of this machine, such as 9440',
  secretFile: 'write the path of a file that `openssl rand -hex 32` made, readable by both processes only',
  admin: '',
};

/** The loopback bridge needs to know where the other process is, and how each proves itself. */
function checkNetworkProxy(networkProxy: SmartProxyOptions['networkProxy']): Problem[] {
  const loopback = networkProxy?.bridge === 'loopback';
  const fields = ['port', 'secretFile', ...(loopback ? [] : (['admin'] as const))] as const;
  return fields.flatMap((field) => {
    if ((networkProxy?.[field] !== undefined) === loopback) return [];
    const path = `networkProxy.${field}`;
    if (loopback)
      return [{ path, message: "is missing: bridge 'loopback' needs it", instead: bridgeExamples[field] }];
    if (networkProxy === undefined) return [];
    return [
      { path, message: "needs bridge 'loopback'", instead: "leave it out, or write bridge: 'loopback'" },
    ];
  });
}

/** $STATE_DIRECTORY is set by systemd, and may be a list. */
function defaultStateDirectory({ variables, homeDirectory }: Environment): string {
  const given = variables.STATE_DIRECTORY?.split(':')[0];
  if (given) return given;
  const home = variables.XDG_STATE_HOME;
  return home ? join(home, 'smartproxy') : join(homeDirectory, '.local', 'state', 'smartproxy');
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
