const key = 'smartproxy-admin-token';

/**
 * The token that this page calls with. It stays in this tab, and is gone with it: never in a cookie,
 * which a browser would send unasked.
 */
export class TokenStore {
  readonly #storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  readonly #listeners = new Set<() => void>();
  #needed = false;
  #given = 0;

  constructor(storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>) {
    this.#storage = storage;
  }

  get token(): string | null {
    return this.#storage.getItem(key);
  }

  /** The server wants one, and what it got (if anything) is not it. */
  get needed(): boolean {
    return this.#needed;
  }

  /** A token was tried and refused. */
  get wrong(): boolean {
    return this.#needed && this.#given > 0;
  }

  give(token: string): void {
    this.#storage.setItem(key, token);
    this.#given++;
    this.#set(false);
  }

  refused(): void {
    this.#storage.removeItem(key);
    this.#set(true);
  }

  #set(needed: boolean): void {
    if (this.#needed === needed) return;
    this.#needed = needed;
    for (const listener of this.#listeners) listener();
  }

  /** Returns what ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
