import { randomUUID } from 'node:crypto';
import type { CertificateStore, StoredCertificate, StoreLock } from './certificate-store.ts';
import type { PendingOrder, Renewal, StoredAccount } from './stored-documents.ts';

/** A store that ends with the process. Those who share the object share the store. */
export class MemoryStore implements CertificateStore {
  readonly place = 'memory';
  readonly #certificates = new Map<string, StoredCertificate>();
  readonly #renewals = new Map<string, Renewal>();
  readonly #orders = new Map<string, PendingOrder>();
  readonly #accounts = new Map<string, StoredAccount>();
  readonly #locks = new Set<string>();

  async ids(): Promise<string[]> {
    return [...this.#certificates.keys()];
  }

  async version(id: string): Promise<string | null> {
    return this.#certificates.get(id)?.version ?? null;
  }

  async read(id: string): Promise<StoredCertificate | null> {
    return this.#certificates.get(id) ?? null;
  }

  async save(id: string, certificate: Omit<StoredCertificate, 'version'>): Promise<string> {
    const version = randomUUID();
    this.#certificates.set(id, { ...certificate, version });
    return version;
  }

  async readRenewal(id: string): Promise<Renewal | null> {
    return this.#renewals.get(id) ?? null;
  }

  async writeRenewal(id: string, renewal: Renewal): Promise<void> {
    this.#renewals.set(id, renewal);
  }

  async readOrder(id: string): Promise<PendingOrder | null> {
    return this.#orders.get(id) ?? null;
  }

  async beginOrder(id: string, order: PendingOrder): Promise<void> {
    this.#orders.set(id, order);
  }

  async updateOrder(id: string, order: PendingOrder): Promise<void> {
    this.#orders.set(id, order);
  }

  async removeOrder(id: string): Promise<void> {
    this.#orders.delete(id);
  }

  async readAccount(directory: string): Promise<StoredAccount | null> {
    return this.#accounts.get(directory) ?? null;
  }

  async writeAccount(account: StoredAccount): Promise<void> {
    this.#accounts.set(account.directory, account);
  }

  async lock(what: { readonly id: string } | { readonly directory: string }): Promise<StoreLock | null> {
    const key = JSON.stringify(what);
    if (this.#locks.has(key)) return null;
    this.#locks.add(key);
    let held = true;
    return {
      lost: false,
      release: async () => {
        if (held) this.#locks.delete(key);
        held = false;
      },
    };
  }
}
