/** More than requests under way at once; nonces that lie too long are refused anyway. */
const maxNonces = 32;

/** Nonces that an authority gave with its answers (RFC 8555 §6.5), each used once, the newest first. */
export class NoncePool {
  readonly #nonces: string[] = [];

  take(): string | undefined {
    return this.#nonces.pop();
  }

  put(nonce: string | string[] | undefined): void {
    // RFC 8555 §6.5.1: what is not base64url is ignored.
    if (typeof nonce !== 'string' || !/^[\w-]{1,512}$/.test(nonce)) return;
    this.#nonces.push(nonce);
    if (this.#nonces.length > maxNonces) this.#nonces.shift();
  }

  /** After one was refused the others, which are older, hardly fare better. */
  clear(): void {
    this.#nonces.length = 0;
  }
}
