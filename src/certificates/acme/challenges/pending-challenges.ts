import type { Certificate } from '../../certificate.ts';

/** The proofs that orders of this process wait for. */
export class PendingChallenges {
  /** By token: authorities make them so that no two are equal. */
  readonly #http = new Map<string, { name: string; keyAuthorization: string }>();
  /** By name, the newest of those that two authorities may ask for at once. */
  readonly #tls = new Map<string, Certificate>();

  /** Returns how it is taken back. */
  addHttp(name: string, token: string, keyAuthorization: string): () => void {
    this.#http.set(token, { name, keyAuthorization });
    return () => this.#http.delete(token);
  }

  addTls(name: string, certificate: Certificate): () => void {
    this.#tls.set(name, certificate);
    return () => {
      if (this.#tls.get(name) === certificate) this.#tls.delete(name);
    };
  }

  http(name: string, token: string): string | null {
    const pending = this.#http.get(token);
    return pending?.name === name ? pending.keyAuthorization : null;
  }

  tls(name: string): Certificate | null {
    return this.#tls.get(name) ?? null;
  }

  get size(): number {
    return this.#http.size + this.#tls.size;
  }
}
