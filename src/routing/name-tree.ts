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

  /** Sets the value of a pattern. `*.a.test` covers one label or more. */
  set(pattern: string | null, value: T): void {
    if (pattern === null) this.#nameless = value;
    else if (pattern === '*') this.#any = value;
    else if (pattern.startsWith('*.')) this.#node(pattern.slice(2)).wildcard = value;
    else this.#exact.set(pattern, value);
  }

  /** Calls back for each value whose pattern covers `name` (null: none was given), the least specific first. */
  visit(name: string | null, callback: (value: T) => void): void {
    if (this.#nameless !== undefined) callback(this.#nameless);
    if (this.#any !== undefined) callback(this.#any);
    if (name === null) return;
    if (this.#root.children !== null) this.#visitWildcards(name, callback);
    const exact = this.#exact.get(name);
    if (exact !== undefined) callback(exact);
  }

  #visitWildcards(name: string, callback: (value: T) => void): void {
    let node: LabelNode<T> | undefined = this.#root;
    let end = name.length;
    for (;;) {
      const start = name.lastIndexOf('.', end - 1);
      // The label at the very left cannot be the parent of another: a wildcard needs one beyond it.
      if (start <= 0) return;
      node = node.children?.get(name.slice(start + 1, end));
      if (node === undefined) return;
      if (node.wildcard !== undefined) callback(node.wildcard);
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
