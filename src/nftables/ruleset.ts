/**
 * A table of nftables as data: what a script writes as a whole, and what two of them are compared by.
 * Every text in it is a word of nft's language, a number, or an address or name that was validated.
 */
export interface Ruleset {
  /** `smartproxy_main`; the family is always inet. */
  readonly table: string;
  /** Says whose the table is. */
  readonly comment: string;
  /** Policies of connection tracking by name: lines of a `ct timeout`. */
  readonly timeouts: ReadonlyMap<string, readonly string[]>;
  readonly sets: ReadonlyMap<string, NftSet>;
  readonly chains: ReadonlyMap<string, NftChain>;
}

export interface NftSet {
  readonly kind: 'set' | 'map';
  /** Everything but the elements. The same for all sets of one name. */
  readonly definition: readonly string[];
  /** By key. Empty in a set that the kernel fills. */
  readonly elements: ReadonlyMap<string, NftElement>;
}

export interface NftElement {
  /** Of a map; null in a set. */
  readonly value: string | null;
  readonly comment: string | null;
  /** For whom it is there, so that an error of nft can name the route; null: for no one route. */
  readonly route: string | null;
}

export interface NftChain {
  /** `type … hook … priority …;` of a base chain; null for one that others jump to. */
  readonly hook: string | null;
  readonly rules: readonly string[];
  /** The only route that it is there for; null: for more than one. */
  readonly route: string | null;
}
