/** The connections that one route has now. */
export class RouteCounter {
  active = 0;
  /** Only connections that were let in while the route limited each address. */
  readonly addresses = new Map<string, number>();

  add(address: string | null): void {
    this.active++;
    if (address !== null) increment(this.addresses, address);
  }

  remove(address: string | null): void {
    this.active--;
    if (address !== null) decrement(this.addresses, address);
  }
}

export function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Drops the key at 0, so that the map is as large as what is counted. */
export function decrement(counts: Map<string, number>, key: string): void {
  const count = counts.get(key) ?? 0;
  if (count > 1) counts.set(key, count - 1);
  else counts.delete(key);
}
