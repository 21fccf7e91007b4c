/**
 * Runs `conntrack -E` in a thread of its own (see EventStream), which is always there to read what it
 * writes: between the kernel and a reader there is room for a few hundred events, and in a storm that
 * is no longer than a garbage collection.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

export interface ReaderTask {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Characters of events that were sent and not understood yet: shared. */
  readonly waiting: Int32Array;
}

export type ReaderMessage =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'events'; readonly text: string }
  | { readonly kind: 'complaint'; readonly text: string }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'closed' };

const highestPriority = -20;
/** From one reading to the next: to be woken for each event costs more than the event. */
const napMs = 2;
/** Characters that may wait. What comes beyond that has no room in the kernel soon, which says so: an overrun. */
const maxWaiting = 32 * 1024 * 1024;
const fullNapMs = 50;

const { program, args, env, waiting } = workerData as ReaderTask;
const never = new Int32Array(new SharedArrayBuffer(4));

function tell(message: ReaderMessage): void {
  parentPort?.postMessage(message);
}

function nap(milliseconds: number): void {
  Atomics.wait(never, 0, 0, milliseconds);
}

/**
 * A process or thread that goes before all others as soon as it has something to do. Among many that want
 * the processor even one of the highest usual priority waits for longer than there is room for events.
 * Where nothing of this is allowed, or `chrt` is missing, events are lost sooner.
 */
function goFirst(id: number): void {
  try {
    setPriority(id, highestPriority);
    spawnSync('chrt', ['--rr', '--pid', '1', String(id)], { env, stdio: 'ignore' });
  } catch {
    // Not allowed.
  }
}

/**
 * The command that has the kernel end the program with this thread: it would not notice by itself that nobody reads
 * it before it has something to write. Where `setpriv` is missing, or cannot do this, that is so.
 */
function endingWithThisThread(command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  const [bound, ...words] = ['setpriv', '--pdeathsig', 'KILL', command[0]] as const;
  const { status } = spawnSync(bound, [...words, '--version'], { env, stdio: 'ignore' });
  return status === 0 ? [bound, ...words, ...command.slice(1)] : command;
}

const [command, ...words] = endingWithThisThread([program, ...args]);
const child = spawn(command, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
child.once('error', (error) => tell({ kind: 'failed', error })).once('close', () => tell({ kind: 'closed' }));
child.stderr.setEncoding('latin1').on('data', (text: string) => tell({ kind: 'complaint', text }));
child.stdout.setEncoding('latin1').on('data', (text: string) => {
  Atomics.add(waiting, 0, text.length);
  tell({ kind: 'events', text });
  nap(napMs);
  while (Atomics.load(waiting, 0) > maxWaiting) nap(fullNapMs);
});
if (child.pid !== undefined) {
  tell({ kind: 'started', pid: child.pid });
  goFirst(child.pid);
  // Linux has a priority for each thread.
  goFirst(Number(basename(readlinkSync('/proc/thread-self'))));
}
