/** Programs in a network of their own, where every port is free and names lead where a test wants them. */
import { spawnSync } from 'node:child_process';
import { execPath, getuid } from 'node:process';
import type { TestContext } from 'node:test';
import { programPath } from './debian.ts';
import type { Workspace } from './workspace.ts';

/** Root needs no namespace of users; others may be allowed one. */
const separate = ['--net', '--mount', ...(getuid?.() === 0 ? [] : ['--user', '--map-root-user'])];

/** Whether this machine lets us have one; where not, the test is skipped. */
export function hasNetworkOfItsOwn(context: TestContext): boolean {
  if (spawnSync(programPath('unshare'), [...separate, 'true']).status === 0) return true;
  context.skip('no network namespace can be made here');
  return false;
}

/** Runs a TypeScript program there, with a loopback alone, on which the names are. Returns what it printed. */
export async function runInNetworkOfItsOwn(
  workspace: Workspace,
  names: readonly string[],
  file: string,
): Promise<string> {
  const hosts = workspace.write('hosts', `127.0.0.1 localhost ${names.join(' ')}\n`);
  const [ip, mount] = [programPath('ip'), programPath('mount')];
  const steps = `${mount} --bind "$1" /etc/hosts && ${ip} link set lo up && exec "$2" "$3"`;
  return workspace.run(programPath('unshare'), [
    ...separate,
    ...['/bin/sh', '-c', steps, 'separate', hosts, execPath, file],
  ]);
}
