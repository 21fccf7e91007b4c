import { normalizeAddress, parseCidr } from '../base/address.ts';
import { type Family, familyOf, type KernelRoute, servesFamily } from '../config/kernel-route.ts';
import { addressRank } from '../config/neighbours.ts';
import { type PortSegment, portSegments } from '../config/port-segments.ts';
import type { PortRange } from '../config/resolved.ts';
import { type AddressRange, allAddresses, rangeOf } from './address-ranges.ts';
import { type Claim, shareClients } from './client-shares.ts';

/** Which connections of one family a route takes. No two placements share one. */
export interface Placement {
  /** Null: at every address of this machine that has no placement of its own for port and client. */
  readonly address: string | null;
  readonly ports: PortRange;
  readonly clients: AddressRange;
  readonly route: KernelRoute;
}

/**
 * Who takes what, settled as routing settles it for connections of this process: by priority, by the
 * narrower block of clients, by the narrower address, by order. What is left for the kernel is a look-up.
 */
export function placeRoutes(routes: readonly KernelRoute[], family: Family): Placement[] {
  const served = routes.filter((route) => servesFamily(route, family));
  const placements: Placement[] = [];
  for (const segment of portSegments(served)) {
    for (const address of addressesOf(segment.routes, family)) {
      const claims = claimsAt(segment, address, family);
      for (const { range, owner } of shareClients(claims))
        placements.push({
          address,
          ports: { from: segment.from, to: segment.to },
          clients: range,
          route: owner,
        });
    }
  }
  return joinPorts(placements);
}

/** Those that a route of the segment listens on alone, and null for the rest. */
function addressesOf(routes: readonly KernelRoute[], family: Family): (string | null)[] {
  return [...new Set(routes.map((route) => ownAddress(route, family)))];
}

function ownAddress({ match: { address } }: KernelRoute, family: Family): string | null {
  const isWildcard = address === null || address === '::' || address === '0.0.0.0';
  return isWildcard || familyOf(address) !== family ? null : (normalizeAddress(address) ?? null);
}

interface RankedClaim extends Claim<KernelRoute> {
  readonly prefix: number;
}

/** The claims on connections to an address, the winning ones first. */
function claimsAt(
  { routes }: PortSegment<KernelRoute>,
  address: string | null,
  family: Family,
): Claim<KernelRoute>[] {
  return routes
    .filter((route) => [null, address].includes(ownAddress(route, family)))
    .flatMap((route) => claimsOf(route, family))
    .sort(
      (a, b) =>
        b.owner.priority - a.owner.priority ||
        b.prefix - a.prefix ||
        addressRank(b.owner) - addressRank(a.owner) ||
        a.owner.order - b.owner.order,
    );
}

function claimsOf(owner: KernelRoute, family: Family): RankedClaim[] {
  const { clientIp } = owner.match;
  if (clientIp === null) return [{ owner, range: allAddresses(family), prefix: -1 }];
  return clientIp.flatMap((cidr) => {
    const range = rangeOf(cidr, family);
    return range === undefined ? [] : [{ owner, range, prefix: parseCidr(cidr)?.prefix ?? -1 }];
  });
}

/** One placement in place of several that differ in neighbouring ports alone. */
function joinPorts(placements: readonly Placement[]): Placement[] {
  const joined: Placement[] = [];
  /** Where in `joined` the last one is that is the same but for its ports. */
  const last = new Map<string, number>();
  for (const placement of placements) {
    const { address, clients, route, ports } = placement;
    const key = `${address} ${clients.from} ${clients.to} ${route.name}`;
    const place = last.get(key);
    const before = place === undefined ? undefined : joined[place];
    if (place !== undefined && before?.ports.to === ports.from - 1) {
      joined[place] = { ...placement, ports: { from: before.ports.from, to: ports.to } };
    } else {
      last.set(key, joined.length);
      joined.push(placement);
    }
  }
  return joined;
}
