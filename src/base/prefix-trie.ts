import { parseCidr } from './address.ts';
import { type Cidr, readAddress, toWords } from './address-text.ts';

/** A block in the trie. Children are longer blocks inside it, told apart by the bit after it. */
interface Node<T> {
  readonly words: Int32Array;
  readonly prefix: number;
  /** Undefined where the node only joins two others. */
  value: T | undefined;
  zero: Node<T> | null;
  one: Node<T> | null;
}

/**
 * Values by address block, looked up by the longest block that holds an address. A binary trie
 * with its single-child chains left out: at most two nodes for each block, and no allocation in
 * a look-up of an IPv4 address. IPv4 and IPv6 are apart: `::/0` holds no IPv4 address.
 */
export class PrefixTrie<T> {
  #ipv4: Node<T> | null = null;
  #ipv6: Node<T> | null = null;
  #size = 0;
  readonly #words = new Int32Array(4);

  /** How many different blocks it has. */
  get size(): number {
    return this.#size;
  }

  /** Sets the value of a block; a block that is set twice has the later value. */
  set(cidr: Cidr, value: T): void {
    const words = toWords(cidr.bytes);
    if (cidr.family === 4) this.#ipv4 = this.#insert(this.#ipv4, words, cidr.prefix, value);
    else this.#ipv6 = this.#insert(this.#ipv6, words, cidr.prefix, value);
  }

  /** The value of exactly this block. */
  get(cidr: Cidr): T | undefined {
    const words = toWords(cidr.bytes);
    let node = cidr.family === 4 ? this.#ipv4 : this.#ipv6;
    while (node !== null && node.prefix <= cidr.prefix && sharesPrefix(node.words, words, node.prefix)) {
      if (node.prefix === cidr.prefix) return node.value;
      node = bitAt(words, node.prefix) === 0 ? node.zero : node.one;
    }
    return undefined;
  }

  /** The value of the longest block that holds `address`; undefined where none does or it is no address. */
  lookup(address: string): T | undefined {
    const words = this.#words;
    const family = readAddress(address, words);
    if (family === 0) return undefined;
    const width = family === 4 ? 32 : 128;
    let node = family === 4 ? this.#ipv4 : this.#ipv6;
    let found: T | undefined;
    while (node !== null && sharesPrefix(node.words, words, node.prefix)) {
      if (node.value !== undefined) found = node.value;
      if (node.prefix === width) break;
      node = bitAt(words, node.prefix) === 0 ? node.zero : node.one;
    }
    return found;
  }

  #insert(node: Node<T> | null, words: Int32Array, prefix: number, value: T): Node<T> {
    if (node === null) {
      this.#size++;
      return { words, prefix, value, zero: null, one: null };
    }
    const shared = commonPrefix(node.words, words, Math.min(node.prefix, prefix));
    if (shared === node.prefix && shared === prefix) {
      if (node.value === undefined) this.#size++;
      node.value = value;
      return node;
    }
    if (shared === node.prefix) {
      if (bitAt(words, shared) === 0) node.zero = this.#insert(node.zero, words, prefix, value);
      else node.one = this.#insert(node.one, words, prefix, value);
      return node;
    }
    const parent: Node<T> = { words, prefix: shared, value: undefined, zero: null, one: null };
    if (bitAt(node.words, shared) === 0) parent.zero = node;
    else parent.one = node;
    return this.#insert(parent, words, prefix, value);
  }
}

/** Whether an address is in one of many blocks. */
export class AddressSet {
  readonly #trie = new PrefixTrie<true>();

  /** Texts as `parseCidr` reads them; what it does not read is left out (configuration refuses it earlier). */
  constructor(cidrs: Iterable<string>) {
    for (const text of cidrs) {
      const cidr = parseCidr(text);
      if (cidr !== undefined) this.#trie.set(cidr, true);
    }
  }

  get size(): number {
    return this.#trie.size;
  }

  has(address: string): boolean {
    return this.#trie.lookup(address) === true;
  }
}

function bitAt(words: Int32Array, index: number): number {
  return (words[index >> 5]! >>> (31 - (index & 31))) & 1;
}

function sharesPrefix(a: Int32Array, b: Int32Array, prefix: number): boolean {
  const whole = prefix >> 5;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = prefix & 31;
  return rest === 0 || (a[whole]! ^ b[whole]!) >>> (32 - rest) === 0;
}

/** How many leading bits are equal, at most `limit`. */
function commonPrefix(a: Int32Array, b: Int32Array, limit: number): number {
  for (let i = 0; i << 5 < limit; i++) {
    const difference = a[i]! ^ b[i]!;
    if (difference !== 0) return Math.min((i << 5) + Math.clz32(difference), limit);
  }
  return limit;
}
