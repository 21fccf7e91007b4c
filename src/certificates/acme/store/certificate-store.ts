import type { CertificateMeta, PendingOrder, Renewal, StoredAccount } from './stored-documents.ts';

/** A certificate as it is kept. */
export interface StoredCertificate {
  /** Differs whenever another certificate is saved. */
  readonly version: string;
  /** The chain, PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  readonly meta: CertificateMeta;
}

/** Held by one process at a time; a process that died holds nothing. */
export interface StoreLock {
  /** The hold was lost: this process was stopped for so long that another took over. */
  readonly lost: boolean;
  /** Idempotent. Never rejects. */
  release(): Promise<void>;
}

/**
 * Where certificates, accounts, and what is known of orders are kept. Several processes may have one
 * store: whatever is there is whole, and `lock` says who orders. `id` is what `certificateId` gives.
 *
 * Methods reject with `certificate-store-unreadable` or `certificate-store-unwritable`.
 */
export interface CertificateStore {
  /** For people. */
  readonly place: string;
  /** All that have a certificate. */
  ids(): Promise<string[]>;
  /** The version of the newest certificate, without reading it; null: there is none. */
  version(id: string): Promise<string | null>;
  read(id: string): Promise<StoredCertificate | null>;
  /** Keeps a certificate; returns its version. */
  save(id: string, certificate: Omit<StoredCertificate, 'version'>): Promise<string>;
  readRenewal(id: string): Promise<Renewal | null>;
  writeRenewal(id: string, renewal: Renewal): Promise<void>;
  readOrder(id: string): Promise<PendingOrder | null>;
  /** Keeps an order and its key, in place of another. */
  beginOrder(id: string, order: PendingOrder): Promise<void>;
  /** Keeps what became of it. The key stays. */
  updateOrder(id: string, order: PendingOrder): Promise<void>;
  removeOrder(id: string): Promise<void>;
  readAccount(directory: string): Promise<StoredAccount | null>;
  writeAccount(account: StoredAccount): Promise<void>;
  /** For the order of a certificate; or for registering an account, by its directory. Null: another has it. */
  lock(what: { readonly id: string } | { readonly directory: string }): Promise<StoreLock | null>;
}

/** What a certificate is called in the store: its first name. A wildcard's star is no good in the name of a folder. */
export function certificateId(names: readonly string[]): string {
  const [first = ''] = names;
  return first.startsWith('*.') ? `wildcard_${first.slice(1)}` : first;
}
