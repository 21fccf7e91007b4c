/** What TLS costs: handshakes, full and resumed, and the memory of an idle connection. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, type RunningProgram, type Workspace } from '../test/support/workspace.ts';
import { ask, withChild } from './children.ts';
import { startHttpProxy } from './http-proxies.ts';
import {
  type HttpBenchContext,
  interleaveHttp,
  spentDuring,
  startBackend,
  writeCertificate,
} from './http-stage.ts';
import type { Contestant } from './measurements.ts';
import { residentBytes } from './processes.ts';

/** Open before the first look, so that code and heap of the first connections are not counted. */
const warmConnections = 200;
/**
 * So many that what a heap grows by in steps of megabytes is a small part of it. With 2,000 it was a
 * tenth of what a connection was found to take.
 */
const idleConnections = 7_000;
/** Until a garbage collector that was going to run has run. */
const settleMs = 3_000;
const warmUpSeconds = 2;

interface Handshakes {
  readonly count: number;
  readonly perSecond: number;
}

/** Two clients: one alone is slower than what it measures. */
export async function shakeHands(
  port: number,
  kind: 'full' | 'resumed',
  seconds: number,
): Promise<Handshakes> {
  const client = (): Promise<{ count: number; resumed: number }> =>
    withChild('tls-client.ts', [`${port}`], async (child) => {
      return (await ask(child, { handshakes: kind, seconds })) as { count: number; resumed: number };
    });
  const results = await Promise.all([client(), client()]);
  const count = results.reduce((sum, result) => sum + result.count, 0);
  const resumed = results.reduce((sum, result) => sum + result.resumed, 0);
  if (resumed !== (kind === 'full' ? 0 : count))
    throw new Error(`${resumed} of ${count} handshakes were resumed`);
  return { count, perSecond: count / seconds };
}

export async function handshakes(context: HttpBenchContext): Promise<void> {
  const { workspace, measured, seconds } = context;
  const target = await startBackend(workspace);
  await writeCertificate(workspace);
  await interleaveHttp(
    context,
    { protocol: 'https', target },
    {
      load: async (port) => {
        await shakeHands(port, 'full', warmUpSeconds);
        await shakeHands(port, 'resumed', warmUpSeconds);
      },
      measure: async ({ name, port, program }) => {
        const full = await spentDuring(program.pid, () => shakeHands(port, 'full', seconds));
        measured.add('handshakes', name, full.perSecond);
        measured.add('handshakesCpu', name, (full.processor / full.count) * 1e6);
        const resumed = await spentDuring(program.pid, () => shakeHands(port, 'resumed', seconds));
        measured.add('resumptions', name, resumed.perSecond);
        measured.add('resumptionsCpu', name, (resumed.processor / resumed.count) * 1e6);
      },
    },
  );
}

/** Starts `stream-server.ts` in one of its modes. */
export async function startStreamServer(
  workspace: Workspace,
  mode: 'tls-server' | 'smartproxy' | 'bare',
): Promise<{ port: number; program: RunningProgram }> {
  const port = await freePort();
  const file = join(import.meta.dirname, 'stream-server.ts');
  const program = await workspace.startServer(port, execPath, [file, mode, `${port}`, workspace.folder]);
  return { port, program };
}

/** KB for each connection whose handshake is done, and no request was sent. One round: memory is not noisy. */
export async function idleTls(context: HttpBenchContext): Promise<void> {
  const { workspace } = context;
  const target = await startBackend(workspace);
  await writeCertificate(workspace);
  const bare = await startStreamServer(workspace, 'bare');
  await measureIdle(context, 'tls-server', bare.port, bare.program);
  for (const name of context.proxies) {
    if (name === 'direct') continue;
    const { port, program } = await startHttpProxy(name, { workspace, protocol: 'https', target });
    await measureIdle(context, name, port, program);
  }
}

async function measureIdle(
  { measured }: HttpBenchContext,
  name: Contestant,
  port: number,
  program: RunningProgram,
): Promise<void> {
  const open = (client: ChildProcess, count: number): Promise<unknown> => ask(client, { open: count });
  await withChild('tls-client.ts', [`${port}`], async (client) => {
    await open(client, warmConnections);
    await delay(settleMs);
    const before = residentBytes(program.pid);
    await open(client, idleConnections);
    await delay(settleMs);
    measured.add('idleTls', name, (residentBytes(program.pid) - before) / idleConnections / 1000);
  });
  await program.stop();
}
