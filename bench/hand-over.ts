/**
 * What it costs that SmartProxy looks at a connection before TLS does: the same handler behind a
 * `tls.Server` that listens itself, behind SmartProxy in one process, and in a second process that is
 * reached over loopback.
 */
import { join } from 'node:path';
import { execPath } from 'node:process';
import { freePort, type Workspace } from '../test/support/workspace.ts';
import { ask, withChild } from './children.ts';
import { type HttpBenchContext, writeCertificate } from './http-stage.ts';
import { processorSeconds } from './processes.ts';
import { shakeHands, startStreamServer } from './tls.ts';

interface Subject {
  readonly name: 'tls-server' | 'smartproxy' | 'loopback';
  readonly port: number;
  readonly pids: readonly number[];
}

const streams = 4;
const warmUpSeconds = 2;

export async function handOver(context: HttpBenchContext): Promise<void> {
  await writeCertificate(context.workspace);
  const subjects = await startSubjects(context.workspace);
  for (const subject of subjects) await measure(context, subject, warmUpSeconds, true);
  for (let round = 0; round < context.rounds; round++) {
    for (const subject of subjects) await measure(context, subject, context.seconds, false);
  }
}

async function startSubjects(workspace: Workspace): Promise<Subject[]> {
  const alone = await startStreamServer(workspace, 'tls-server');
  const inProcess = await startStreamServer(workspace, 'smartproxy');
  const port = await freePort();
  const hop = await workspace.startServer(port, execPath, [
    join(import.meta.dirname, 'embedded-proxy.ts'),
    `${port}:${alone.port}`,
  ]);
  return [
    { name: 'tls-server', port: alone.port, pids: [alone.program.pid] },
    { name: 'smartproxy', port: inProcess.port, pids: [inProcess.program.pid] },
    { name: 'loopback', port, pids: [hop.pid, alone.program.pid] },
  ];
}

async function measure(
  { measured }: HttpBenchContext,
  { name, port, pids }: Subject,
  seconds: number,
  warmUp: boolean,
): Promise<void> {
  const full = await spent(pids, () => shakeHands(port, 'full', seconds));
  const resumed = await spent(pids, () => shakeHands(port, 'resumed', seconds));
  const bulk = await spent(pids, () => readBytes(port, seconds));
  if (warmUp) return;
  measured.add('handOverConnection', name, (full.processor / full.count) * 1e6);
  measured.add('handOverResumed', name, (resumed.processor / resumed.count) * 1e6);
  measured.add('handOverBytes', name, bulk.processor / (bulk.bytes / 1e9));
}

async function spent<Result>(
  pids: readonly number[],
  load: () => Promise<Result>,
): Promise<Result & { processor: number }> {
  const total = (): number => pids.reduce((sum, pid) => sum + processorSeconds(pid), 0);
  const before = total();
  const result = await load();
  return { ...result, processor: total() - before };
}

function readBytes(port: number, readSeconds: number): Promise<{ bytes: number }> {
  return withChild('tls-client.ts', [`${port}`], async (client) => {
    return (await ask(client, { readSeconds, streams })) as { bytes: number };
  });
}
