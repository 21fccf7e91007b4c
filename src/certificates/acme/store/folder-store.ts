import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../../base/clock.ts';
import { errorCode, errorMessage, SmartProxyError } from '../../../base/errors.ts';
import { draftMark, replaceFile, syncFolder, writeDurably } from '../../durable-files.ts';
import type { CertificateStore, StoredCertificate, StoreLock } from './certificate-store.ts';
import { FolderLock } from './folder-lock.ts';
import {
  documentText,
  type PendingOrder,
  type Renewal,
  readDocument,
  type StoredAccount,
} from './stored-documents.ts';

/**
 * Certificates in a folder, for this process, for others with the same folder, and for programs of
 * other projects (docs/certificates.md has the layout):
 *
 *     names/a.test/current ─▶ 2026-01-31T12-00-00Z-1f3a    turned in one step to the newest
 *                 /2026-01-31T12-00-00Z-1f3a/certificate.pem, key.pem, meta.json
 *                 /renewal.json, order.json, order.key, lock.N
 *     accounts/ca.test-3b1f/account.json, account.key, lock.N
 *
 * Folders with a certificate never change once they have their name, so chain and key always fit.
 */
export class FolderStore implements CertificateStore {
  readonly place: string;
  readonly #clock: Clock;

  constructor(folder: string, clock: Clock) {
    this.place = folder;
    this.#clock = clock;
  }

  async ids(): Promise<string[]> {
    const names = await this.#reading(() => readdir(join(this.place, 'names')));
    const found: string[] = [];
    for (const name of names ?? []) if ((await this.version(name)) !== null) found.push(name);
    return found;
  }

  version(id: string): Promise<string | null> {
    return this.#reading(() => readlink(join(this.#folderOf(id), 'current')));
  }

  async read(id: string): Promise<StoredCertificate | null> {
    for (;;) {
      const version = await this.version(id);
      if (version === null) return null;
      const found = await this.#readVersion(id, version);
      if (found !== null) return found;
      // Another process may have saved the next one, and cleared this one up, while we read.
      if ((await this.version(id)) === version) {
        throw problem('unreadable', this.#folderOf(id), `${version} is damaged: delete the folder`);
      }
    }
  }

  async #readVersion(id: string, version: string): Promise<StoredCertificate | null> {
    const folder = join(this.#folderOf(id), version);
    const text = (name: string) => this.#reading(() => readFile(join(folder, name), 'utf8'));
    const [cert, key, about] = [
      await text('certificate.pem'),
      await text('key.pem'),
      await text('meta.json'),
    ];
    const meta = about === null ? null : readDocument('meta', about);
    return cert === null || key === null || meta === null ? null : { version, cert, key, meta };
  }

  async save(id: string, { cert, key, meta }: Omit<StoredCertificate, 'version'>): Promise<string> {
    const folder = this.#folderOf(id);
    const version = `${meta.issuedAt.replace(/\.\d+/, '').replaceAll(':', '-')}-${randomUUID().slice(0, 8)}`;
    const draft = join(folder, `${version}${draftMark}`);
    await this.#writing(folder, async () => {
      await mkdir(draft, { recursive: true, mode: 0o700 });
      await writeDurably(join(draft, 'certificate.pem'), cert, 0o644);
      await writeDurably(join(draft, 'key.pem'), key, 0o600);
      await writeDurably(join(draft, 'meta.json'), documentText(meta), 0o644);
      await syncFolder(draft);
      await rename(draft, join(folder, version));
      await this.#turn(folder, version);
    }).catch(async (error) => {
      await rm(draft, { recursive: true, force: true }).catch(() => {});
      throw error;
    });
    return version;
  }

  /** Makes a version the current one, keeps the one before it, and clears up all others. */
  async #turn(folder: string, version: string): Promise<void> {
    const before = await this.#reading(() => readlink(join(folder, 'current')));
    const draft = join(folder, `current${draftMark}${randomUUID()}`);
    await symlink(version, draft);
    await rename(draft, join(folder, 'current'));
    await syncFolder(folder);
    for (const name of await readdir(folder)) {
      const isVersion = /^\d{4}-\d{2}-\d{2}T/.test(name);
      if (isVersion && name !== version && name !== before) {
        await rm(join(folder, name), { recursive: true, force: true });
      }
    }
  }

  async readRenewal(id: string): Promise<Renewal | null> {
    const text = await this.#reading(() => readFile(join(this.#folderOf(id), 'renewal.json'), 'utf8'));
    return text === null ? null : readDocument('renewal', text);
  }

  async writeRenewal(id: string, renewal: Renewal): Promise<void> {
    const folder = this.#folderOf(id);
    await this.#writing(folder, () => this.#replace(join(folder, 'renewal.json'), documentText(renewal)));
  }

  async readOrder(id: string): Promise<PendingOrder | null> {
    const folder = this.#folderOf(id);
    const text = await this.#reading(() => readFile(join(folder, 'order.json'), 'utf8'));
    const key = await this.#reading(() => readFile(join(folder, 'order.key'), 'utf8'));
    return text === null || key === null ? null : readDocument('order', text, { key });
  }

  async beginOrder(id: string, order: PendingOrder): Promise<void> {
    const folder = this.#folderOf(id);
    await this.#writing(folder, async () => {
      // An order without its key is none.
      await rm(join(folder, 'order.json'), { force: true });
      await this.#replace(join(folder, 'order.key'), order.key, 0o600);
    });
    await this.updateOrder(id, order);
  }

  async updateOrder(id: string, { key: _key, ...order }: PendingOrder): Promise<void> {
    const folder = this.#folderOf(id);
    await this.#writing(folder, () => this.#replace(join(folder, 'order.json'), documentText(order)));
  }

  async removeOrder(id: string): Promise<void> {
    const folder = this.#folderOf(id);
    await this.#writing(folder, async () => {
      await rm(join(folder, 'order.json'), { force: true });
      await rm(join(folder, 'order.key'), { force: true });
    });
  }

  async readAccount(directory: string): Promise<StoredAccount | null> {
    const folder = this.#accountFolder(directory);
    const text = await this.#reading(() => readFile(join(folder, 'account.json'), 'utf8'));
    const key = await this.#reading(() => readFile(join(folder, 'account.key'), 'utf8'));
    return text === null || key === null ? null : readDocument('account', text, { key });
  }

  async writeAccount({ key, ...account }: StoredAccount): Promise<void> {
    const folder = this.#accountFolder(account.directory);
    await this.#writing(folder, async () => {
      await this.#replace(join(folder, 'account.key'), key, 0o600);
      await this.#replace(join(folder, 'account.json'), documentText(account));
    });
  }

  async lock(what: { readonly id: string } | { readonly directory: string }): Promise<StoreLock | null> {
    const folder = 'id' in what ? this.#folderOf(what.id) : this.#accountFolder(what.directory);
    return this.#writing(folder, async () => {
      const lock = await FolderLock.acquire(folder, this.#clock);
      if (lock !== null) await clearDrafts(folder);
      return lock;
    });
  }

  async #replace(file: string, text: string, mode = 0o644): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      try {
        return await replaceFile(file, text, mode);
      } catch (error) {
        // The draft was cleared up by a process that has just got the lock.
        if (errorCode(error) !== 'ENOENT' || attempt === 3) throw error;
      }
    }
  }

  #folderOf(id: string): string {
    // Names come from clients where they are ordered on demand: nothing else gets near the disk.
    if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(id)) throw new Error(`${JSON.stringify(id)} is no name`);
    return join(this.place, 'names', id);
  }

  #accountFolder(directory: string): string {
    const host = URL.canParse(directory) ? new URL(directory).hostname : 'authority';
    const mark = createHash('sha256').update(directory).digest('hex').slice(0, 8);
    return join(this.place, 'accounts', `${host.replace(/[^a-z0-9.-]/gi, '-')}-${mark}`);
  }

  /** Null where there is no such file. */
  async #reading<Result>(read: () => Promise<Result>): Promise<Result | null> {
    try {
      return await read();
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return null;
      throw problem('unreadable', this.place, errorMessage(error), error);
    }
  }

  async #writing<Result>(folder: string, write: () => Promise<Result>): Promise<Result> {
    try {
      return await write();
    } catch (error) {
      if (error instanceof SmartProxyError) throw error;
      throw problem('unwritable', folder, errorMessage(error), error);
    }
  }
}

/** What a process that died left half-written. Only who holds the lock writes drafts, but for those of locks. */
async function clearDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.includes(draftMark)) continue;
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

function problem(
  what: 'unreadable' | 'unwritable',
  folder: string,
  why: string,
  cause?: unknown,
): SmartProxyError {
  const verb = what === 'unreadable' ? 'read' : 'written';
  return new SmartProxyError(
    `certificate-store-${what}`,
    `the certificates in ${folder} cannot be ${verb}: ${why}`,
    {
      source: 'proxy',
      retryable: true,
      cause,
    },
  );
}
