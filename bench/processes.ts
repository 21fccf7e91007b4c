/** What a process and its children use, from /proc. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory of a process and its children, in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return sumOver(children(pid), residentBytes, Number(kilobytes ?? 0) * 1024);
}

const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;

/** Processor time of a process and its children since they began, in seconds: of those that have ended too. */
export function processorSeconds(pid: number): number {
  const living = children(pid);
  // The name of the program may hold anything; what follows it is numbers. Fields 14 to 17 are utime and
  // stime, and those of children that were waited for.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return sumOver(living, processorSeconds, ticks / ticksPerSecond);
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Of all its threads. */
function children(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads
    .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' '))
    .filter(Boolean)
    .map(Number);
}

function sumOver(pids: readonly number[], measure: (pid: number) => number, own: number): number {
  return pids.reduce((sum, pid) => sum + measure(pid), own);
}
