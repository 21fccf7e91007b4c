import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Who holds a lock. */
export interface Owner {
  /** Of this hold alone. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** The machine since it was booted, and its process numbers; null where the system does not tell. */
  readonly place: string | null;
  /** When the process was started, as the kernel counts; null likewise. */
  readonly started: string | null;
}

/** This process, for one hold. */
export function thisOwner(): Owner {
  return {
    id: randomUUID(),
    host: hostname(),
    pid: process.pid,
    place: placeOfProcess(),
    started: startOf(process.pid),
  };
}

/**
 * Whether an owner is surely dead: its process number would be ours to see, and nobody has it, or
 * another process does. False where that cannot be told.
 */
export function isDead(owner: Owner): boolean {
  if (owner.place === null || owner.started === null || owner.place !== placeOfProcess()) return false;
  return startOf(owner.pid) !== owner.started;
}

/** Containers have the boot of their machine in common, and process numbers of their own. */
function placeOfProcess(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

/** proc(5): field 22, after the name in parentheses, which may have spaces itself. Null: there is no such process. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // What has ended and was not yet waited for by its parent holds nothing any more.
    return state === 'Z' || state === 'X' ? null : (fields[18] ?? null);
  } catch {
    return null;
  }
}
