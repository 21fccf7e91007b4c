import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../../../base/clock.ts';
import { errorCode } from '../../../base/errors.ts';
import { draftMark } from '../../durable-files.ts';
import type { StoreLock } from './certificate-store.ts';
import { isDead, type Owner, thisOwner } from './process-identity.ts';

/** How long a hold is believed in without a sign of life. */
const leaseMs = 60_000;
const renewedEveryMs = 20_000;

interface LockFile extends Owner {
  /** ISO 8601. */
  readonly expiresAt: string;
  readonly released: boolean;
}

/**
 * A lock in a folder, for processes of one or of several machines: files `lock.1`, `lock.2`, … of which the highest
 * counts. A hold is the making of the next file, which succeeds for one process only (link(2)), and
 * nobody but its owner ever changes it. So there is no moment at which a lock that looks dead could
 * be taken away from somebody who has just got it. A hold that was given back says so, and stays.
 *
 * Who holds it renews it every 20 s. It is over after 60 s without that, and at once where the
 * owner was a process of this machine that is gone.
 */
export class FolderLock implements StoreLock {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #owner: Owner;
  readonly #generation: number;
  #timer: Timer | null = null;
  #renewing: Promise<void> = Promise.resolve();
  #released = false;
  lost = false;

  private constructor(folder: string, clock: Clock, owner: Owner, generation: number) {
    this.#folder = folder;
    this.#clock = clock;
    this.#owner = owner;
    this.#generation = generation;
  }

  /** Null: another has it. Rejects where the folder cannot be written. */
  static async acquire(folder: string, clock: Clock): Promise<FolderLock | null> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const highest = Math.max(0, ...(await generations(folder)));
    if (highest > 0 && (await isHeld(fileOf(folder, highest), clock))) return null;
    const lock = new FolderLock(folder, clock, thisOwner(), highest + 1);
    if (!(await lock.#take())) return null;
    lock.#arm();
    return lock;
  }

  async #take(): Promise<boolean> {
    const draft = join(this.#folder, `lock${draftMark}${randomUUID()}`);
    try {
      await writeFile(draft, this.#text(false), { mode: 0o600 });
      await link(draft, fileOf(this.#folder, this.#generation));
    } catch (error) {
      // Another was faster, or has cleared the folder up.
      if (errorCode(error) === 'EEXIST' || errorCode(error) === 'ENOENT') return false;
      throw error;
    } finally {
      await rm(draft, { force: true }).catch(() => {});
    }
    const others = await generations(this.#folder);
    const isHighest = others.every((other) => other <= this.#generation);
    // A higher one is there: ours was free because those before that one had been cleared up.
    if (!isHighest) await rm(fileOf(this.#folder, this.#generation), { force: true });
    else await this.#removeAll(others.filter((other) => other < this.#generation));
    return isHighest;
  }

  async #removeAll(lower: readonly number[]): Promise<void> {
    for (const generation of lower) await rm(fileOf(this.#folder, generation), { force: true });
  }

  #text(released: boolean): string {
    const expiresAt = new Date(this.#clock.wallTime() + leaseMs).toISOString();
    return `${JSON.stringify({ ...this.#owner, expiresAt, released } satisfies LockFile)}\n`;
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(renewedEveryMs, () => {
      this.#renewing = this.#renew().finally(() => {
        if (!this.#released && !this.lost) this.#arm();
      });
    });
  }

  /** A disk that cannot be written lets the hold expire. */
  async #renew(): Promise<void> {
    try {
      if (!(await this.#isStillOurs())) this.lost = true;
      else if (!this.#released) await this.#write(false);
    } catch {}
  }

  async #isStillOurs(): Promise<boolean> {
    const all = await generations(this.#folder);
    return all.includes(this.#generation) && all.every((other) => other <= this.#generation);
  }

  async #write(released: boolean): Promise<void> {
    const draft = join(this.#folder, `lock${draftMark}${randomUUID()}`);
    try {
      await writeFile(draft, this.#text(released), { mode: 0o600 });
      await rename(draft, fileOf(this.#folder, this.#generation));
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw error;
    }
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#timer?.cancel();
    await this.#renewing;
    if (this.lost) return;
    await this.#write(true).catch(() => {});
  }
}

function fileOf(folder: string, generation: number): string {
  return join(folder, `lock.${generation}`);
}

async function generations(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => (/^lock\.[1-9]\d{0,14}$/.test(name) ? [Number(name.slice(5))] : []));
}

async function isHeld(file: string, clock: Clock): Promise<boolean> {
  const lock = await readLock(file);
  if (lock === null || lock.released || isDead(lock)) return false;
  return Date.parse(lock.expiresAt) > clock.wallTime();
}

/** Null where the file is gone, or damaged: then it holds nothing. */
async function readLock(file: string): Promise<LockFile | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as LockFile;
  } catch (error) {
    if (error instanceof SyntaxError || errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}
