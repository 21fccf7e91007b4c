import { formatCidr, normalizeAddress, parseCidr } from '../base/address.ts';
import { asksForRequests } from './connection-kind.ts';
import { normalizeDomain } from './domain.ts';
import { fingerprint } from './fingerprint.ts';
import { impliedProtocol } from './implied-protocol.ts';
import { normalizePathPattern } from './request-path.ts';
import { resolveHttp, resolveTargetProtocol } from './resolve-http.ts';
import { resolveTls } from './resolve-tls.ts';
import type {
  Limits,
  PortRange,
  ResolvedAction,
  ResolvedForwarding,
  ResolvedMatch,
  ResolvedRoute,
  ResolvedTarget,
  ResolvedTls,
  Timeouts,
} from './resolved.ts';
import type { ForwardAction, Match, Route, Target } from './schema.ts';

/** Values of the whole process, on which those of a route build. */
export interface ProcessValues {
  readonly timeouts: Timeouts;
  readonly limits: Limits;
}

/** A valid route with everything spelled out. `order` is its place in the configuration. */
export function resolveRoute(route: Route, order: number, process: ProcessValues): ResolvedRoute {
  const { protocol } = impliedProtocol(route);
  const own = {
    name: route.name,
    priority: route.priority ?? 0,
    match: resolveMatch(route.match, protocol),
    action: resolveAction(route.action, protocol),
    tls: ownTls(route),
    inheritsTls: false,
    security: { allow: cidrs(route.security?.allow), block: cidrs(route.security?.block) },
  };
  const limits = sorted(defined(route.limits));
  const timeouts = sorted(defined(route.timeouts));
  return {
    ...own,
    order,
    limits: { ...process.limits, ...noOwnCounts, ...limits },
    // Shared where nothing is its own: there may be 100,000 routes.
    timeouts: route.timeouts === undefined ? process.timeouts : { ...process.timeouts, ...timeouts },
    fingerprint: fingerprint([own, limits, timeouts], functionsIn(own.action)),
  };
}

/** In the order in which they are written. */
function functionsIn(action: ResolvedAction): unknown[] {
  if (action.type === 'handler') return [action.handle];
  if (action.type !== 'forward') return [];
  return action.targets.flatMap(({ host, port }) =>
    [host, port].filter((value) => typeof value === 'function'),
  );
}

const noOwnCounts = { maxConnections: 0, maxConnectionsPerIp: 0, connectionsPerMinutePerIp: 0 };

/** The same route with another protocol and TLS: for those that inherit them from their neighbours. */
export function withProtocol(
  route: ResolvedRoute,
  protocol: ResolvedMatch['protocol'],
  tls: ResolvedTls | null = null,
): ResolvedRoute {
  return {
    ...route,
    match: { ...route.match, protocol },
    tls,
    inheritsTls: tls !== null,
    fingerprint: fingerprint([route.fingerprint, protocol, tls]),
  };
}

function ownTls({ match, action }: Route): ResolvedTls | null {
  if (!('tls' in action) || action.tls === undefined) return null;
  if ('mode' in action.tls && action.tls.mode === 'passthrough') return null;
  // A handler that gets whole connections speaks what it likes; everybody else speaks HTTP.
  const speaksHttp = action.type !== 'handler' || asksForRequests(match);
  return resolveTls(action.tls, speaksHttp ? ['h2', 'http/1.1'] : []);
}

function resolveMatch(match: Match, protocol: ResolvedMatch['protocol']): ResolvedMatch {
  return {
    ports: resolvePorts(match.ports),
    address: match.address === undefined ? null : normalizeAddress(match.address)!,
    domains:
      match.domains === undefined
        ? null
        : unique(asList(match.domains).map((name) => normalizeDomain(name)!)),
    path:
      match.path === undefined ? null : unique(asList(match.path).map((path) => normalizePathPattern(path)!)),
    methods: match.methods === undefined ? null : unique(match.methods),
    headers: match.headers === undefined ? null : lowerCaseKeys(match.headers),
    clientIp: match.clientIp === undefined ? null : cidrs(match.clientIp),
    protocol,
    alpn: match.alpn === undefined ? null : unique(match.alpn),
  };
}

/** Sorted and merged; 0 stays by itself, because it is no port but a wish. */
function resolvePorts(ports: Match['ports']): PortRange[] {
  const ranges = (Array.isArray(ports) ? ports : [ports])
    .map((port) => (typeof port === 'number' ? { from: port, to: port } : { from: port.from, to: port.to }))
    .sort((one, other) => one.from - other.from);
  const merged: PortRange[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    const joins = last !== undefined && (last.to === 0 ? range.to === 0 : range.from <= last.to + 1);
    if (joins) merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
    else merged.push(range);
  }
  return merged;
}

function resolveAction(action: Route['action'], protocol: ResolvedMatch['protocol']): ResolvedAction {
  const encrypts = action.type === 'forward' && action.tls?.mode === 'terminate-and-reencrypt';
  switch (action.type) {
    case 'forward':
      return {
        type: 'forward',
        targets: targetsOf(action).flatMap((target) => resolveTarget(target, encrypts)),
        tls: action.tls?.mode ?? (protocol === 'tls' ? 'passthrough' : 'none'),
        engine: action.engine ?? 'node',
        nftables: resolveForwarding(action),
        sendProxyProtocol: action.sendProxyProtocol ?? 0,
        http: resolveHttp(action.http),
      };
    case 'block':
      return { type: 'block', how: action.how ?? 'close' };
    case 'handler':
      return { type: 'handler', handle: action.handle };
    case 'redirect':
      return { type: 'redirect', to: action.to, status: action.status ?? 308 };
    case 'respond':
      return {
        type: 'respond',
        status: action.status,
        headers: lowerCaseKeys(action.headers ?? {}),
        body: action.body ?? '',
      };
  }
}

function resolveForwarding({ engine, nftables }: ForwardAction): ResolvedForwarding | null {
  if (engine !== 'nftables') return null;
  return { source: nftables?.source ?? 'masquerade', balance: nftables?.balance ?? 'in-turn' };
}

/** The targets as they are written, whichever of the two fields has them. */
function targetsOf(action: ForwardAction): Target[] {
  return [...(action.target === undefined ? [] : [action.target]), ...(action.targets ?? [])];
}

function resolveTarget(target: Target, encrypts: boolean): ResolvedTarget[] {
  const shared = {
    weight: target.weight ?? 1,
    dns: target.dns ?? 'system',
    ...resolveTargetProtocol(target, encrypts),
  } as const;
  if (target.socket !== undefined) return [{ ...shared, host: null, port: null, socket: target.socket }];
  const hosts = Array.isArray(target.host) ? target.host : [target.host ?? null];
  return hosts.map((host) => ({
    ...shared,
    host: typeof host === 'string' ? normalizeHost(host) : host,
    port: target.port ?? null,
    socket: null,
  }));
}

/** Addresses in their one spelling (brackets dropped); names in lower case, without a trailing dot. */
function normalizeHost(host: string): string {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  return normalizeAddress(bare) ?? (host === '*' ? undefined : normalizeDomain(host)) ?? host.toLowerCase();
}

/** CIDRs in their one spelling; what is not one is left out, having been reported by the schema. */
export function cidrs(texts: readonly string[] | undefined): string[] {
  const parsed = (texts ?? []).map(parseCidr).filter((cidr) => cidr !== undefined);
  return unique(parsed.map(formatCidr));
}

function asList(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function lowerCaseKeys(headers: Readonly<Record<string, string>>): Record<string, string> {
  return sorted(
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  );
}

/** By key, so that the order in which they were written makes no difference. */
function sorted<Values extends object>(values: Values): Values {
  return Object.fromEntries(
    Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1)),
  ) as Values;
}

/** Without the keys that are there and undefined: they mean the same as absent ones. */
export function defined<Values extends object>(
  values: Values | undefined,
): { [Key in keyof Values]?: NonNullable<Values[Key]> } {
  const entries = Object.entries(values ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Values]?: NonNullable<Values[Key]> };
}
