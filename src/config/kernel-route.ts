import { normalizeAddress, parseCidr } from '../base/address.ts';
import type { ResolvedForward, ResolvedForwarding, ResolvedRoute } from './resolved.ts';

/** A route that the kernel forwards. */
export type KernelRoute = ResolvedRoute & {
  readonly action: ResolvedForward & { readonly nftables: ResolvedForwarding };
};

export function isKernelRoute(route: ResolvedRoute): route is KernelRoute {
  return route.action.type === 'forward' && route.action.nftables !== null;
}

export type Family = 4 | 6;
export const families: readonly Family[] = [4, 6];

/** Whether a route forwards connections of one family: it listens there, has clients, and a target. */
export function servesFamily({ match, action }: KernelRoute, family: Family): boolean {
  const listens = match.address === null || match.address === '::' || familyOf(match.address) === family;
  const hasClients = match.clientIp?.some((text) => parseCidr(text)?.family === family) ?? true;
  return listens && hasClients && action.targets.some(({ host }) => familyOf(host) === family);
}

/** Null for what is no address. */
export function familyOf(host: unknown): Family | null {
  if (typeof host !== 'string' || normalizeAddress(host) === undefined) return null;
  return host.includes(':') ? 6 : 4;
}
