import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SmartProxyError } from '../base/errors.ts';
import type { Flow } from './flow.ts';
import { LineSplitter } from './flow-line.ts';
import { routeFilter } from './marks.ts';
import { notPermitted } from './nft-command.ts';
import { type ProgramResult, runProgram } from './run-program.ts';

/** Makes connection tracking forget all flows with these marks: both ends get a RST with their next packet. */
export async function deleteFlows(markFilter: string): Promise<void> {
  const result = await runProgram('conntrack', ['-D', '-m', markFilter], { onOutput: () => {} });
  // 1 is also what it says where there was none.
  if (result.code !== 0 && !/0 flow entries have been deleted/.test(result.err)) throw failure(result);
}

/** Makes it forget some flows. It looks through everything for each: for very many there is `deleteFlows`. */
export async function cutFlows(flows: readonly Flow[], owner: number): Promise<void> {
  const lines = flows.map((flow) => `-D ${flowArguments(flow, owner).join(' ')}\n`);
  // It opens /dev/stdin, which the socket that Node gives a child for its input does not allow.
  const folder = await mkdtemp(join(tmpdir(), 'smartproxy-cut-'));
  try {
    await writeFile(join(folder, 'flows'), lines, { mode: 0o600 });
    const result = await runProgram('conntrack', ['-R', join(folder, 'flows')], { onOutput: () => {} });
    if (result.code !== 0) throw failure(result);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function flowArguments({ peer, local, route }: Flow, owner: number): string[] {
  return [
    ...['-m', routeFilter(owner, route), '-p', 'tcp', '--orig-src', peer.ip, '--orig-dst', local.ip],
    ...['--sport', String(peer.port), '--dport', String(local.port)],
  ];
}

/** Every flow whose mark fits, line by line; there may be very many, and everything else has its turns between. */
export async function listFlows(markFilter: string, onLine: (line: string) => void): Promise<void> {
  const lines = new LineSplitter(onLine);
  const options = {
    onOutput: async (text: string) => {
      lines.push(text);
      await nextTurn();
    },
  };
  const result = await runProgram('conntrack', ['-L', '-m', markFilter, '-o', 'id'], options);
  if (result.code !== 0) throw failure(result);
}

function failure({ err, code }: ProgramResult): SmartProxyError {
  if (/Operation not permitted|must be root|root privileges/.test(err)) return notPermitted();
  const message =
    /^conntrack v\S+ \(conntrack-tools\): (.*)$/m.exec(err)?.[1] ?? (err.trim() || `it ended with ${code}`);
  return new SmartProxyError('nftables-program-failed', `conntrack: ${message}`, {
    source: 'kernel',
    retryable: true,
  });
}
