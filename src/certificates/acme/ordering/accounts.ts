import type { Clock } from '../../../base/clock.ts';
import { SmartProxyError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { AccountKey } from '../protocol/account-key.ts';
import { AcmeClient } from '../protocol/acme-client.ts';
import type { AuthorityConnection } from '../protocol/authority-connection.ts';
import { pause } from '../protocol/pause.ts';
import type { CertificateStore, StoreLock } from '../store/certificate-store.ts';
import type { StoredAccount } from '../store/stored-documents.ts';

export interface AccountsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: CertificateStore;
  readonly connection: AuthorityConnection;
  /** `mailto:` addresses. */
  readonly contact: readonly string[];
  /** External account binding; null: none. */
  readonly binding: { readonly keyId: string; readonly hmacKey: string } | null;
  /** The binding is for this one even if it does not ask for one: it is the only one. */
  readonly isOnlyAuthority: boolean;
}

/** Authorities move their resources now and then, and tell so in the directory. */
const directoryLivesMs = 24 * 60 * 60 * 1000;
/** For another process that registers. */
const lockWaitMs = 60_000;
const lockLookMs = 250;

interface Connected {
  readonly client: Promise<AcmeClient>;
  readonly since: number;
}

/** One account at each authority, registered when it is first needed, once for all processes with the store. */
export class Accounts {
  readonly #options: AccountsOptions;
  readonly #clients = new Map<string, Connected>();

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  /** The account at an authority. Rejects with AcmeError, or an error of the store. */
  client(directory: string, signal: AbortSignal): Promise<AcmeClient> {
    const known = this.#clients.get(directory);
    const now = this.#options.clock.now();
    if (known !== undefined && now - known.since < directoryLivesMs) return known.client;
    const client = this.#open(directory, signal);
    const opened = { client, since: now };
    this.#clients.set(directory, opened);
    client.catch(() => {
      if (this.#clients.get(directory) === opened) this.#clients.delete(directory);
    });
    return client;
  }

  /** The next call reads the directory again. */
  forget(directory: string): void {
    this.#clients.delete(directory);
  }

  /** The authority does not know the account any more: registers it anew, with the same key. */
  async registerAgain(directory: string, signal: AbortSignal): Promise<AcmeClient> {
    const { store } = this.#options;
    const stored = await store.readAccount(directory);
    if (stored !== null) await store.writeAccount({ ...stored, url: '' });
    this.forget(directory);
    return this.client(directory, signal);
  }

  async #open(directory: string, signal: AbortSignal): Promise<AcmeClient> {
    const { store } = this.#options;
    const stored = await store.readAccount(directory);
    if (stored !== null && this.#isComplete(stored)) return this.#connect(directory, stored, signal);
    const lock = await this.#lock(directory, signal);
    try {
      return await this.#register(directory, signal);
    } finally {
      await lock.release();
    }
  }

  #isComplete({ url, contact }: StoredAccount): boolean {
    return url !== '' && JSON.stringify(contact) === JSON.stringify(this.#options.contact);
  }

  async #lock(directory: string, signal: AbortSignal): Promise<StoreLock> {
    const { store, clock } = this.#options;
    for (let waitedMs = 0; waitedMs <= lockWaitMs; waitedMs += lockLookMs) {
      const lock = await store.lock({ directory });
      if (lock !== null) return lock;
      await pause(clock, lockLookMs, signal);
    }
    throw new SmartProxyError('certificate-store-busy', `another process registers with ${directory}`, {
      source: 'proxy',
      retryable: true,
    });
  }

  async #connect(directory: string, stored: StoredAccount, signal: AbortSignal): Promise<AcmeClient> {
    const key = await AccountKey.fromPem(stored.key);
    const client = await AcmeClient.connect(directory, this.#options.connection, key, signal);
    client.useAccount(stored.url);
    return client;
  }

  /** Under the lock. The key is kept first, so that an account that was made is found again. */
  async #register(directory: string, signal: AbortSignal): Promise<AcmeClient> {
    const { store, clock, log, contact, connection } = this.#options;
    const stored = await store.readAccount(directory);
    if (stored !== null && this.#isComplete(stored)) return this.#connect(directory, stored, signal);
    const key = stored === null ? await AccountKey.generate() : await AccountKey.fromPem(stored.key);
    const createdAt = stored?.createdAt ?? new Date(clock.wallTime()).toISOString();
    const account = { directory, contact: [...contact], createdAt, key: key.pem };
    if (stored === null) await store.writeAccount({ ...account, url: '' });
    const client = await AcmeClient.connect(directory, connection, key, signal);
    if (stored !== null && stored.url !== '') {
      client.useAccount(stored.url);
      await client.updateContact(contact, signal);
      await store.writeAccount({ ...account, url: stored.url });
      return client;
    }
    const url = await client.register(contact, this.#bindingFor(client), signal);
    await store.writeAccount({ ...account, url });
    log.info('acme-account-registered', { directory, account: url });
    return client;
  }

  #bindingFor({ directory }: AcmeClient): AccountsOptions['binding'] {
    const { binding, isOnlyAuthority } = this.#options;
    return directory.meta?.externalAccountRequired === true || isOnlyAuthority ? binding : null;
  }
}
