import { ExactNames } from './exact-names.ts';

/** One label of the reversed-label trie: the path from the root spells a name from its end. */
interface LabelNode<T> {
  children: Map<string, LabelNode<T>> | null;
  /** Of the pattern `*.` + the name that the path spells. */
  wildcard: T | undefined;
}

/**
 * Values by name pattern: exact names in a packed map, wildcards in a trie of labels read from the
 * right, `'*'` for any name or none, and null for what does not ask for a name. A look-up costs
 * the labels of the name that the trie knows, however many names there are.
 *
 * Names are lower case, without a trailing dot; so must be the names looked up.
 */
export class NameTree<T> {
  readonly #nameless: T | undefined;
  readonly #any: T | undefined;
  readonly #exact: ExactNames<T>;
  readonly #root: LabelNode<T> = { children: null, wildcard: undefined };

  /** Values by pattern. `*.a.test` covers one label or more. */
  constructor(values: ReadonlyMap<string | null, T>) {
    this.#nameless = values.get(null);
    this.#any = values.get('*');
    const exact: [string, T][] = [];
    for (const [pattern, value] of values) {
      if (pattern === null || pattern === '*') continue;
      if (pattern.startsWith('*.')) this.#node(pattern.slice(2)).wildcard = value;
      else exact.push([pattern, value]);
    }
    this.#exact = new ExactNames(exact);
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
