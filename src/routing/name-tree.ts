/** One label of the reversed-label trie: the path from the root spells a name from its end. */
interface LabelNode<T> {
  children: Map<string, LabelNode<T>> | null;
  /** Of the pattern `*.` + the name that the path spells. */
  wildcard: T | undefined;
}

/**
 * Values by name pattern: exact names in a map, wildcards in a trie of labels read from the
 * right, `'*'` for any name or none, and null for what does not ask for a name. A look-up costs
 * the labels of the name that the trie knows, however many names there are.
 *
 * Names are lower case, without a trailing dot; so must be the names looked up.
 */
export class NameTree<T> {
  #nameless: T | undefined;
  #any: T | undefined;
  readonly #exact = new Map<string, T>();
  readonly #root: LabelNode<T> = { children: null, wildcard: undefined };

  /** The value of `pattern`, made with `make` where it has none. `*.a.test` covers one label or more. */
  getOrAdd(pattern: string | null, make: () => T): T {
    if (pattern === null) {
      this.#nameless ??= make();
      return this.#nameless;
    }
    if (pattern === '*') {
      this.#any ??= make();
      return this.#any;
    }
    if (pattern.startsWith('*.')) {
      const node = this.#node(pattern.slice(2));
      node.wildcard ??= make();
      return node.wildcard;
    }
    const known = this.#exact.get(pattern);
    if (known !== undefined) return known;
    const made = make();
    this.#exact.set(pattern, made);
    return made;
  }

  /** Every value whose pattern covers `name` (null: the client gave none), the least specific first. */
  lookup(name: string | null): T[] {
    const found: T[] = [];
    if (this.#nameless !== undefined) found.push(this.#nameless);
    if (this.#any !== undefined) found.push(this.#any);
    if (name === null) return found;
    this.#collectWildcards(name, found);
    const exact = this.#exact.get(name);
    if (exact !== undefined) found.push(exact);
    return found;
  }

  #collectWildcards(name: string, found: T[]): void {
    let node: LabelNode<T> | undefined = this.#root;
    let end = name.length;
    for (;;) {
      const start = name.lastIndexOf('.', end - 1);
      // The label at the very left cannot be the parent of another: a wildcard needs one beyond it.
      if (start <= 0) return;
      node = node.children?.get(name.slice(start + 1, end));
      if (node === undefined) return;
      if (node.wildcard !== undefined) found.push(node.wildcard);
      end = start;
    }
  }

  #node(name: string): LabelNode<T> {
    let node = this.#root;
    for (const label of name.split('.').reverse()) {
      node.children ??= new Map();
      let child = node.children.get(label);
      if (child === undefined) {
        child = { children: null, wildcard: undefined };
        node.children.set(label, child);
      }
      node = child;
    }
    return node;
  }
}
