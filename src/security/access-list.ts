import { AddressSet } from '../base/prefix-trie.ts';
import type { ResolvedRoute } from '../config/resolved.ts';

/** Who may use a route: nobody in `block`; and where `allow` has entries, only those in it. */
export class AccessList {
  readonly #allow: AddressSet;
  readonly #block: AddressSet;

  constructor({ allow, block }: ResolvedRoute['security']) {
    this.#allow = new AddressSet(allow);
    this.#block = new AddressSet(block);
  }

  permits(address: string): boolean {
    if (this.#block.size > 0 && this.#block.has(address)) return false;
    return this.#allow.size === 0 || this.#allow.has(address);
  }
}
