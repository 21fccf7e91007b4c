import type { AddressRange } from './address-ranges.ts';

/** Somebody who wants all connections from a range of clients. */
export interface Claim<Owner> {
  readonly range: AddressRange;
  readonly owner: Owner;
}

/**
 * Who gets which clients: of the claims that cover a client, the one that comes first in the list. The
 * shares are sorted and do not overlap, as the maps of the kernel need them; neighbouring shares of one
 * owner are joined.
 */
export function shareClients<Owner>(claims: readonly Claim<Owner>[]): Claim<Owner>[] {
  if (claims.length < 2) return [...claims]; // nearly every route
  const changes = new Map<bigint, { begin: number[]; end: number[] }>();
  const changeAt = (place: bigint) => {
    const change = changes.get(place) ?? { begin: [], end: [] };
    changes.set(place, change);
    return change;
  };
  claims.forEach(({ range }, index) => {
    changeAt(range.from).begin.push(index);
    changeAt(range.to + 1n).end.push(index);
  });
  const cuts = [...changes].sort(([a], [b]) => (a < b ? -1 : 1));
  /** Few at a time: claims are CIDRs, and so lie in each other or apart. */
  const active = new Set<number>();
  const shares: Claim<Owner>[] = [];
  cuts.forEach(([from, { begin, end }], place) => {
    for (const index of end) active.delete(index);
    for (const index of begin) active.add(index);
    const next = cuts[place + 1];
    if (next === undefined || active.size === 0) return;
    const { owner } = claims[Math.min(...active)] as Claim<Owner>;
    append(shares, { range: { from, to: next[0] - 1n }, owner });
  });
  return shares;
}

function append<Owner>(shares: Claim<Owner>[], share: Claim<Owner>): void {
  const last = shares.at(-1);
  const joins = last !== undefined && last.owner === share.owner && last.range.to + 1n === share.range.from;
  if (joins) shares[shares.length - 1] = { ...share, range: { from: last.range.from, to: share.range.to } };
  else shares.push(share);
}
