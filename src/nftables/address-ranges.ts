import { formatAddress, parseCidr } from '../base/address.ts';
import type { Family } from '../config/kernel-route.ts';

/** Addresses of one family from one to another, both included, as numbers. */
export interface AddressRange {
  readonly from: bigint;
  readonly to: bigint;
}

const widths = { 4: 32n, 6: 128n } as const;

export function allAddresses(family: Family): AddressRange {
  return { from: 0n, to: (1n << widths[family]) - 1n };
}

/** The range of a CIDR; undefined where it is of the other family, or none. */
export function rangeOf(cidr: string, family: Family): AddressRange | undefined {
  const parsed = parseCidr(cidr);
  if (parsed === undefined || parsed.family !== family) return undefined;
  const from = parsed.bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
  return { from, to: from + (1n << (widths[family] - BigInt(parsed.prefix))) - 1n };
}

/** Those of one family as ranges that neither overlap nor touch, sorted: sets of the kernel take no others. */
export function rangesOf(cidrs: readonly string[], family: Family): AddressRange[] {
  if (cidrs.length === 0) return [];
  const ranges = cidrs.map((cidr) => rangeOf(cidr, family)).filter((range) => range !== undefined);
  ranges.sort((a, b) => (a.from < b.from ? -1 : 1));
  const joined: AddressRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last === undefined || range.from > last.to + 1n) joined.push(range);
    else if (range.to > last.to) joined[joined.length - 1] = { from: last.from, to: range.to };
  }
  return joined;
}

/** Those of one family that are in no other, each for itself: two networks side by side are still two. */
export function widestRanges(cidrs: readonly string[], family: Family): AddressRange[] {
  const ranges = [...new Set(cidrs)]
    .map((cidr) => rangeOf(cidr, family))
    .filter((range) => range !== undefined)
    .sort((a, b) => (a.from < b.from || (a.from === b.from && a.to > b.to) ? -1 : 1));
  return ranges.filter((range, i) => !ranges.slice(0, i).some((wider) => range.to <= wider.to));
}

/** As nft reads it: `10.0.0.0/8` where it is a CIDR, `10.0.0.1` where it is one address, else `from-to`. */
export function formatRange(range: AddressRange, family: Family): string {
  return range.from === range.to ? formatNumber(range.from, family) : formatBlock(range, family);
}

/**
 * The same with one address as a CIDR too, `10.0.0.1/32`: beside a mark, nft 1.0 adds an element with a
 * single address, and then does not find it to delete it.
 */
export function formatBlock({ from, to }: AddressRange, family: Family): string {
  const size = to - from + 1n;
  const isCidr = (size & (size - 1n)) === 0n && from % size === 0n;
  if (!isCidr) return `${formatNumber(from, family)}-${formatNumber(to, family)}`;
  return `${formatNumber(from, family)}/${widths[family] - BigInt(size.toString(2).length - 1)}`;
}

function formatNumber(number: bigint, family: Family): string {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  for (let i = bytes.length - 1, rest = number; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return formatAddress(bytes);
}
