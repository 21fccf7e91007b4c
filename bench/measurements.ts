/** What was measured: several values of each quantity for each proxy. */
import type { ProxyName } from './proxies.ts';

export interface Quantity {
  readonly name: string;
  readonly unit: string;
  readonly digits: number;
}

export const quantities = {
  bulk1: { name: 'bulk, 1 stream', unit: 'Gbit/s', digits: 1 },
  bulk4: { name: 'bulk, 4 streams', unit: 'Gbit/s', digits: 1 },
  bulk32: { name: 'bulk, 32 streams', unit: 'Gbit/s', digits: 1 },
  small: { name: '64-byte messages on 32 connections', unit: '/s', digits: 0 },
  small99: { name: 'p99 of a small message beside 4 bulk streams', unit: 'ms', digits: 2 },
  connections: { name: 'new connections', unit: '/s', digits: 0 },
  idle1000: { name: 'memory of an idle pair, 1,000 open', unit: 'KB', digits: 1 },
  idle8000: { name: 'memory of an idle pair, 8,000 open', unit: 'KB', digits: 1 },
  cleanup: { name: 'event-loop delay p99 while 8,000 connections end', unit: 'ms', digits: 1 },
  cleanupReset: { name: 'event-loop delay p99 while 8,000 connections are reset', unit: 'ms', digits: 1 },
  routing: { name: 'routing cost, 100,000 names over 10', unit: '×', digits: 2 },
} as const satisfies Record<string, Quantity>;

export type QuantityName = keyof typeof quantities;

/** Collects values; the same harness fills it in round after round. */
export class Measurements {
  readonly #values = new Map<string, number[]>();

  add(quantity: QuantityName, proxy: ProxyName, value: number): void {
    const key = `${quantity} ${proxy}`;
    this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
    const { name, unit, digits } = quantities[quantity];
    console.error(`  ${name}: ${proxy} ${value.toFixed(digits)} ${unit}`);
  }

  /** The median of the rounds; undefined where nothing was measured. */
  median(quantity: QuantityName, proxy: ProxyName): number | undefined {
    const sorted = this.#values.get(`${quantity} ${proxy}`)?.toSorted((a, b) => a - b);
    return sorted?.[Math.floor((sorted.length - 1) / 2)];
  }

  ratio(quantity: QuantityName, proxy: ProxyName, other: ProxyName): number | undefined {
    const [above, below] = [this.median(quantity, proxy), this.median(quantity, other)];
    return above === undefined || below === undefined ? undefined : above / below;
  }
}
