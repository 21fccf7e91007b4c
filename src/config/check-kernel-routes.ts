import { families, familyOf, isKernelRoute, type KernelRoute, servesFamily } from './kernel-route.ts';
import { shareListener } from './neighbours.ts';
import type { Findings, Problem } from './problems.ts';
import type { ResolvedRoute } from './resolved.ts';

/** What shows of kernel routes only when all routes are seen together, with everything spelled out. */
export function checkKernelRoutes(
  routes: readonly ResolvedRoute[],
  trustedSources: readonly string[],
): Findings {
  const kernel = routes.filter(isKernelRoute);
  if (kernel.length === 0) return { problems: [], warnings: [] };
  const others = differentListeners(routes.filter((route) => !isKernelRoute(route)));
  return {
    problems: kernel.flatMap((route) => [
      ...sharedPort(route, others),
      ...unreachable(route),
      ...loopbackOnly(route),
    ]),
    warnings: trustedSources.length === 0 ? [] : kernel.map(unreadHeader),
  };
}

/** One route for each different place to listen. */
function differentListeners(routes: readonly ResolvedRoute[]): ResolvedRoute[] {
  const found = new Map<string, ResolvedRoute>();
  for (const route of routes) {
    const key = JSON.stringify([route.match.ports, route.match.address]);
    if (!found.has(key)) found.set(key, route);
  }
  return [...found.values()];
}

function sharedPort(route: KernelRoute, others: readonly ResolvedRoute[]): Problem[] {
  const other = others.find((candidate) => shareListener(candidate, route));
  if (other === undefined) return [];
  return [
    {
      path: `routes[${route.order}].match.ports`,
      message: `'${route.name}' shares a port with '${other.name}', which this process listens for: the kernel takes connections before it sees them`,
      instead: 'give it ports of its own, or the same engine to both',
    },
  ];
}

/** The kernel does not translate between IPv4 and IPv6. */
function unreachable(route: KernelRoute): Problem[] {
  const { targets } = route.action;
  if (targets.some(({ host }) => familyOf(host) === null)) return []; // which is told of the target
  if (families.some((family) => servesFamily(route, family))) return [];
  return [
    {
      path: `routes[${route.order}].action`,
      message: `no target of '${route.name}' can be reached: its clients or its address are of another family, and the kernel does not translate between IPv4 and IPv6`,
      instead: 'write a target of the same family',
    },
  ];
}

/** The kernel sends nothing from ::1 to other machines; from 127.0.0.1 it can be told to. */
function loopbackOnly({ order, match, action }: KernelRoute): Problem[] {
  const far = action.targets.find(({ host }) => familyOf(host) === 6 && host !== '::1');
  if (match.address !== '::1' || far === undefined) return [];
  return [
    {
      path: `routes[${order}].match.address`,
      message: `nobody who connects to ::1 can be forwarded to ${String(far.host)}: the kernel lets ::1 reach this machine only`,
      instead: "write another address, or engine: 'node'",
    },
  ];
}

function unreadHeader(route: KernelRoute): Problem {
  return {
    path: `routes[${route.order}].action.engine`,
    message: `'${route.name}' reads no PROXY header: those of proxyProtocol.trustedSources go to its target as they are`,
  };
}
