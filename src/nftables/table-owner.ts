import { readFileSync } from 'node:fs';
import { tableName } from './compile-ruleset.ts';
import { listed } from './nft-command.ts';

/** Whose a table is, as its comment says. */
export interface TableOwner {
  readonly instance: string;
  /** The number in the marks of its flows. */
  readonly owner: number;
  readonly process: number;
  /** When that process began, in the kernel's own count: process numbers are used again. */
  readonly since: string;
}

/** A table that SmartProxy made. */
export interface OwnedTable extends TableOwner {
  /** Whether the process that made it still runs. */
  readonly inUse: boolean;
}

export function ownerComment({ instance, owner, process, since }: TableOwner): string {
  return `SmartProxy ${instance}, owner ${owner}, process ${process} since ${since}`;
}

export function thisProcess(instance: string, owner: number): TableOwner {
  return { instance, owner, process: process.pid, since: startOf(process.pid) ?? '0' };
}

/** Null for the comment of somebody else's table. */
function readOwner(comment: string): TableOwner | null {
  const match = /^SmartProxy ([a-z0-9_]+), owner (\d+), process (\d+) since (\d+)$/.exec(comment);
  if (match === null) return null;
  const [, instance = '', owner, pid, since = ''] = match;
  return { instance, owner: Number(owner), process: Number(pid), since };
}

/** The owner of the table of that instance; null where somebody else made it; undefined where there is none. */
export async function ownerOfTable(instance: string): Promise<OwnedTable | null | undefined> {
  const withoutElements = '-t';
  const text = await listed(['table', 'inet', tableName(instance)], [withoutElements]);
  if (text === undefined) return undefined;
  const owner = readOwner(/^\tcomment "(.*)"$/m.exec(text)?.[1] ?? '');
  return owner === null || owner.instance !== instance ? null : { ...owner, inUse: isRunning(owner) };
}

/** Every table that SmartProxy made. One that only has such a name is somebody else's. */
export async function ownedTables(): Promise<OwnedTable[]> {
  const tables = (await listed(['tables', 'inet'])) ?? '';
  const owned: OwnedTable[] = [];
  for (const [, instance = ''] of tables.matchAll(/^table inet smartproxy_([a-z0-9_]+)$/gm)) {
    const owner = await ownerOfTable(instance);
    if (owner) owned.push(owner);
  }
  return owned;
}

function isRunning({ process: pid, since }: TableOwner): boolean {
  return pid !== process.pid && startOf(pid) === since;
}

/** proc(5): the 22nd field of `stat`; the second may contain spaces and parentheses. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}
