/** Programs of this folder that are told what to do over IPC. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { execPath } from 'node:process';

/**
 * Starts a program for as long as `use` runs.
 * @param within the words before its command that say where it runs, such as those of `ip netns exec`
 */
export async function withChild<Result>(
  name: string,
  args: readonly string[],
  use: (child: ChildProcess) => Promise<Result>,
  within: readonly string[] = [],
): Promise<Result> {
  const [command = execPath, ...before] = [...within, execPath];
  const child = fork(join(import.meta.dirname, name), args, { execPath: command, execArgv: before });
  try {
    return await use(child);
  } finally {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

/** Sends a message, and resolves with the answer. Rejects where the program ends before it. */
export async function ask(child: ChildProcess, message: string | object): Promise<unknown> {
  const over = new AbortController();
  const { signal } = over;
  const ended = once(child, 'exit', { signal }).then(() => {
    throw new Error(`${child.spawnargs[1]} ended before it answered`);
  });
  const answer = once(child, 'message', { signal });
  child.send(message);
  try {
    return ((await Promise.race([answer, ended])) as unknown[])[0];
  } finally {
    ended.catch(() => undefined);
    over.abort();
  }
}
