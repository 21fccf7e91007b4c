import { isLoopback } from '../base/address.ts';
import { type Family, familyOf, type KernelRoute } from '../config/kernel-route.ts';
import type { ResolvedTarget } from '../config/resolved.ts';
import { clientOf } from './terms.ts';

/** Where packets go. A port of null stays as it is. */
interface Destination {
  readonly address: string;
  readonly port: number | null;
  readonly weight: number;
}

/** What `dnat` looks up for a route and a family: one place, or a choice among several. */
export type Translation =
  | { readonly kind: 'none' }
  /** The value of an element of `targets` or, where the port stays, of `hosts`. */
  | { readonly kind: 'one'; readonly map: 'targets' | 'hosts'; readonly value: string }
  | { readonly kind: 'several'; readonly rule: string };

/** The same at every start: a client that is sent by its address keeps its target. */
const hashSeed = '0x5a17ab1e';

export function translationOf(route: KernelRoute, family: Family): Translation {
  const destinations = route.action.targets
    .filter(({ host }) => familyOf(host) === family)
    .map((target) => destinationOf(target, route));
  const [first] = destinations;
  if (first === undefined) return { kind: 'none' };
  if (destinations.length > 1) return { kind: 'several', rule: choiceRule(route, destinations, family) };
  return { kind: 'one', map: first.port === null ? 'hosts' : 'targets', value: formatDestination(first) };
}

/** Whether targets are on this machine's loopback (`near`) or not (`far`): one cannot be had from the other. */
export function placesOf(route: KernelRoute): Set<readonly ['near' | 'far', Family]> {
  const places = new Map<string, readonly ['near' | 'far', Family]>();
  for (const { host } of route.action.targets) {
    const family = familyOf(host);
    if (family === null) continue;
    const place = isLoopback(String(host)) ? 'near' : 'far';
    places.set(`${place} ${family}`, [place, family]);
  }
  return new Set(places.values());
}

function destinationOf({ host, port, weight }: ResolvedTarget, { match }: KernelRoute): Destination {
  const [range] = match.ports;
  const only = match.ports.length === 1 && range?.from === range?.to ? range?.from : undefined;
  const kept = port === 'preserve' ? (only ?? null) : Number(port);
  return { address: String(host), port: kept, weight };
}

function choiceRule({ action }: KernelRoute, destinations: readonly Destination[], family: Family): string {
  const shared = destinations.map(({ weight }) => weight).reduce(greatestDivisor);
  let slots = 0;
  const places = destinations.map((destination) => {
    const from = slots;
    slots += destination.weight / shared;
    return `${formatSlots(from, slots - 1)} : ${formatDestination(destination)}`;
  });
  const chooser =
    action.nftables.balance === 'in-turn'
      ? `numgen inc mod ${slots}`
      : `jhash ${clientOf(family)} mod ${slots} seed ${hashSeed}`;
  const dnat =
    family === 4
      ? 'meta nfproto ipv4 meta l4proto tcp dnat ip'
      : 'meta nfproto ipv6 meta l4proto tcp dnat ip6';
  return `${dnat} to ${chooser} map { ${places.join(', ')} }`;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

function formatSlots(from: number, to: number): string {
  return from === to ? `${from}` : `${from}-${to}`;
}

function formatDestination({ address, port }: Destination): string {
  return port === null ? address : `${address} . ${port}`;
}
