import { type Family, families, type KernelRoute } from '../config/kernel-route.ts';
import type { Limits } from '../config/resolved.ts';
import { formatRange, widestRanges } from './address-ranges.ts';
import { closingChains } from './closing-chains.ts';
import { entryChains } from './entry-chains.ts';
import { formatMark, routeMark } from './marks.ts';
import { placeRoutes } from './placements.ts';
import { rulesOf } from './route-rules.ts';
import type { NftChain, NftElement, NftSet, Ruleset } from './ruleset.ts';
import { filledByKernel, sharedTerms, type Terms } from './terms.ts';

export interface RulesetInput {
  readonly instance: string;
  /** Says whose the table is; letters, digits and spaces. */
  readonly comment: string;
  /** The number in marks that tells the flows of this instance. */
  readonly owner: number;
  readonly routes: readonly KernelRoute[];
  /** Of a route, by its name: what flows carry in their mark. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Of all routes together. */
  readonly limits: Pick<Limits, 'maxConnections' | 'maxConnectionsPerIp' | 'connectionsPerMinutePerIp'>;
  readonly machine: MachineNetworks;
}

/** What the ruleset depends on beside the configuration. */
export interface MachineNetworks {
  /** CIDRs that this machine's interfaces are in. */
  readonly networks: readonly string[];
  /** Whether the kernel lets packets for and from 127.0.0.0/8 leave and enter (`route_localnet`). */
  readonly routesLoopback: boolean;
}

export function tableName(instance: string): string {
  return `smartproxy_${instance}`;
}

/**
 * Routes as a table of nftables. Pure: the same input gives the same table. What differs between routes
 * is in elements of sets and maps; chains are the same for all, but for those that choose among targets.
 */
export function compileRuleset(input: RulesetInput): Ruleset {
  const builder = new TableBuilder(input);
  for (const route of input.routes) builder.addRoute(route);
  for (const family of families) builder.place(family);
  builder.addNeighbours();
  return builder.finish();
}

class TableBuilder {
  readonly #input: RulesetInput;
  readonly #timeouts = new Map<string, readonly string[]>();
  readonly #sets = new Map<string, NftSet & { elements: Map<string, NftElement> }>();
  readonly #filled = new Map<string, NftSet>();
  readonly #chains = new Map<string, NftChain>();
  readonly #terms = new Map<string, Terms>();

  constructor(input: RulesetInput) {
    this.#input = input;
    for (const [kind, name, ...definition] of setTable)
      this.#sets.set(name, { kind, definition, elements: new Map() });
    this.#filled.set('counts', countsSet);
    const shared = sharedTerms(input.limits);
    for (const [name, set] of shared.sets) this.#filled.set(name, set);
    this.#chains.set('everybody', shared.chain);
  }

  addRoute(route: KernelRoute): void {
    const { elements, terms, choice } = rulesOf(
      route,
      this.#numberOf(route),
      this.#markOf(route),
      this.#terms,
    );
    for (const { set, key, element } of elements) this.#add(set, key, element);
    this.#addTerms(terms);
    if (choice !== null) this.#chains.set(...choice);
  }

  /** Most routes have the same. */
  #addTerms({ name, chain, sets, timeout }: Terms): void {
    if (this.#chains.has(name)) return;
    this.#chains.set(name, chain);
    this.#timeouts.set(...timeout);
    for (const [set, definition] of sets) this.#filled.set(set, definition);
  }

  place(family: Family): void {
    for (const { address, ports, clients, route } of placeRoutes(this.#input.routes, family)) {
      const port = ports.from === ports.to ? `${ports.from}` : `${ports.from}-${ports.to}`;
      const key = `${port} . ${formatRange(clients, family)}`;
      const element = { value: this.#markOf(route), comment: null, route: route.name };
      if (address === null) this.#add(`anywhere_ip${family}`, key, element);
      else this.#add(`at_ip${family}`, `${address} . ${key}`, element);
    }
  }

  addNeighbours(): void {
    for (const family of families) {
      for (const range of widestRanges(this.#input.machine.networks, family)) {
        const text = formatRange(range, family);
        this.#add(`neighbours_ip${family}`, `${text} . ${text}`, { value: null, comment: null, route: null });
      }
    }
  }

  finish(): Ruleset {
    const { instance, comment, owner, machine } = this.#input;
    const chains = new Map([
      ...entryChains(owner, machine.routesLoopback),
      ...closingChains(owner),
      ...this.#chains,
    ]);
    const sets = new Map([...this.#sets, ...this.#filled]);
    return { table: tableName(instance), comment, timeouts: this.#timeouts, sets, chains };
  }

  #add(set: string, key: string, element: NftElement): void {
    this.#sets.get(set)?.elements.set(key, element);
  }

  #numberOf({ name }: KernelRoute): number {
    return this.#input.numbers.get(name) ?? 0;
  }

  #markOf(route: KernelRoute): string {
    return formatMark(routeMark(this.#input.owner, this.#numberOf(route)));
  }
}

/** Everything that is told per route. The last word of a name is the family. */
const setTable: readonly (readonly ['set' | 'map', string, ...string[]])[] = [
  ['set', 'routes', 'type mark;', 'counter;'],
  ['map', 'at_ip4', 'type ipv4_addr . inet_service . ipv4_addr : mark;', 'flags interval;'],
  ['map', 'at_ip6', 'type ipv6_addr . inet_service . ipv6_addr : mark;', 'flags interval;'],
  ['map', 'anywhere_ip4', 'type inet_service . ipv4_addr : mark;', 'flags interval;'],
  ['map', 'anywhere_ip6', 'type inet_service . ipv6_addr : mark;', 'flags interval;'],
  ['set', 'blocked_ip4', 'type mark . ipv4_addr;', 'flags interval;'],
  ['set', 'blocked_ip6', 'type mark . ipv6_addr;', 'flags interval;'],
  ['set', 'restricted', 'type mark;'],
  ['set', 'allowed_ip4', 'type mark . ipv4_addr;', 'flags interval;'],
  ['set', 'allowed_ip6', 'type mark . ipv6_addr;', 'flags interval;'],
  ['set', 'near_ip4', 'type mark;'],
  ['set', 'near_ip6', 'type mark;'],
  ['set', 'far_ip4', 'type mark;'],
  ['set', 'far_ip6', 'type mark;'],
  ['map', 'terms', 'type mark : verdict;'],
  ['map', 'targets_ip4', 'type mark : ipv4_addr . inet_service;'],
  ['map', 'targets_ip6', 'type mark : ipv6_addr . inet_service;'],
  ['map', 'hosts_ip4', 'type mark : ipv4_addr;'],
  ['map', 'hosts_ip6', 'type mark : ipv6_addr;'],
  ['map', 'several', 'type mark : verdict;'],
  ['set', 'kept', 'type mark;'],
  ['set', 'neighbours_ip4', 'type ipv4_addr . ipv4_addr;', 'flags interval;'],
  ['set', 'neighbours_ip6', 'type ipv6_addr . ipv6_addr;', 'flags interval;'],
];

/**
 * How many each route has refused, by reason: a mark with the bits of the reason; and how many beginnings
 * and ends of flows were too many to be told: the mark of the owner alone.
 */
const countsSet = filledByKernel(['type mark;', 'size 1048576;', 'flags dynamic;', 'counter;']);
