import { isLoopback, normalizeAddress } from '../base/address.ts';
import { coversAddress } from './neighbours.ts';
import type { Problem } from './problems.ts';
import type { PortRange, ResolvedRoute, ResolvedTarget } from './resolved.ts';
import type { Route } from './schema.ts';

interface Listening extends PortRange {
  readonly address: string | null;
  readonly route: string;
}

/** Targets that are this proxy's own listeners: each connection would make another one, for ever. */
export function checkLoops(routes: readonly ResolvedRoute[], written: ReadonlyMap<number, Route>): Problem[] {
  const listening = listeners(routes);
  const own = new Set(listening.map(({ address }) => address));
  const problems: Problem[] = [];
  for (const route of routes) {
    if (route.action.type !== 'forward') continue;
    for (const [index, target] of route.action.targets.entries()) {
      const met = meets(target, route, listening, own);
      if (met === undefined) continue;
      problems.push({
        path: `routes[${route.order}].action.${targetPath(written.get(route.order), index)}`,
        message: `${String(target.host)}, port ${String(target.port)}, is SmartProxy itself: '${met.route}' listens there`,
        instead: 'write where the server behind it listens',
      });
    }
  }
  return problems;
}

/** One entry for each different listener: 100,000 names on one port are one. */
function listeners(routes: readonly ResolvedRoute[]): Listening[] {
  const found = new Map<string, Listening>();
  for (const { name, match } of routes) {
    for (const { from, to } of match.ports) {
      const key = `${match.address} ${from} ${to}`;
      if (!found.has(key)) found.set(key, { from, to, address: match.address, route: name });
    }
  }
  return [...found.values()];
}

function meets(
  target: ResolvedTarget,
  route: ResolvedRoute,
  listening: readonly Listening[],
  own: ReadonlySet<string | null>,
): Listening | undefined {
  if (typeof target.host !== 'string' || target.port === null || typeof target.port === 'function')
    return undefined;
  const addresses = localAddresses(target.host, own);
  if (addresses.length === 0) return undefined;
  const ports = target.port === 'preserve' ? route.match.ports : [{ from: target.port, to: target.port }];
  return listening.find(
    (listener) =>
      ports.some((range) => range.from <= listener.to && listener.from <= range.to) &&
      addresses.some((address) => coversAddress(listener.address, address)),
  );
}

/** The addresses of this machine that a host stands for, as far as the configuration tells. */
function localAddresses(host: string, own: ReadonlySet<string | null>): string[] {
  if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1', '::1'];
  // Connecting to "any address" reaches the loopback.
  if (host === '0.0.0.0') return ['127.0.0.1', '0.0.0.0'];
  if (host === '::') return ['::1', '127.0.0.1', '::'];
  const address = normalizeAddress(host);
  return address !== undefined && (isLoopback(address) || own.has(address)) ? [address] : [];
}

/** Where the target at `index` of the spelled-out list was written. */
function targetPath(route: Route | undefined, index: number): string {
  if (route?.action.type !== 'forward' || route.action.targets === undefined) return 'target';
  let left = index;
  for (const [place, { host }] of route.action.targets.entries()) {
    const size = Array.isArray(host) ? host.length : 1;
    if (left < size) return `targets[${place}]`;
    left -= size;
  }
  return 'targets';
}
