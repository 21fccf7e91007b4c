/** What every HTTP benchmark stands on: a backend, a certificate, the proxies, and what they cost. */
import { programPath } from '../test/support/debian.ts';
import { freePort, type Workspace } from '../test/support/workspace.ts';
import {
  type HttpProxyName,
  nginxFrame,
  type Protocol,
  type RunningHttpProxy,
  startHttpProxy,
} from './http-proxies.ts';
import type { Measurements } from './measurements.ts';
import { processorSeconds } from './processes.ts';

/** What every HTTP benchmark is given. */
export interface HttpBenchContext {
  readonly workspace: Workspace;
  readonly measured: Measurements;
  readonly proxies: readonly HttpProxyName[];
  readonly rounds: number;
  /** Of one measurement. */
  readonly seconds: number;
}

/** Of what the backend answers to every request but `/bulk`. */
const bodyBytes = 1024;
const bulkBytes = 4 * 2 ** 20;

/** nginx with one worker that answers 1 KB from memory, and `/bulk` by sendfile. Returns its port. */
export async function startBackend(workspace: Workspace): Promise<number> {
  const port = await freePort();
  workspace.write('bulk', 'x'.repeat(bulkBytes));
  const server = `  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { return 200 "${'x'.repeat(bodyBytes)}"; }
    location = /bulk { root ${workspace.folder}; sendfile on; sendfile_max_chunk 512k; tcp_nopush on; }
  }`;
  const file = workspace.write('backend.conf', nginxFrame(workspace, port, 1, server));
  await workspace.startServer(port, programPath('nginx'), ['-p', workspace.folder, '-c', file]);
  return port;
}

/** `cert.pem`, `key.pem` and `both.pem`: P-256, as authorities issue today, and self-signed. */
export async function writeCertificate(workspace: Workspace): Promise<void> {
  const [key, certificate] = [workspace.path('key.pem'), workspace.path('cert.pem')];
  await workspace.run(programPath('openssl'), [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
    ...['-subj', '/CN=bench.test', '-addext', 'subjectAltName=DNS:bench.test,IP:127.0.0.1'],
    ...['-keyout', key, '-out', certificate],
  ]);
  const both = await workspace.run('cat', [certificate, key]);
  workspace.write('both.pem', both);
}

export interface Spent {
  /** Processor time of the proxy's processes, in seconds. */
  readonly processor: number;
}

/** Runs `load`, and tells what the process and its children spent on it. */
export async function spentDuring<Result>(pid: number, load: () => Promise<Result>): Promise<Result & Spent> {
  const before = processorSeconds(pid);
  const result = await load();
  return { ...result, processor: processorSeconds(pid) - before };
}

/**
 * Starts every proxy in front of the backend. Each has some load before anything is measured, for
 * code that is compiled while it runs; then every round measures all of them in turn.
 */
export async function interleaveHttp(
  context: HttpBenchContext,
  { protocol, target }: { protocol: Protocol; target: number },
  {
    load,
    measure,
  }: { load: (port: number) => Promise<void>; measure: (proxy: RunningHttpProxy) => Promise<void> },
): Promise<void> {
  const proxies: RunningHttpProxy[] = [];
  for (const name of context.proxies) {
    if (name === 'direct') continue;
    try {
      const proxy = await startHttpProxy(name, { workspace: context.workspace, protocol, target });
      await load(proxy.port);
      proxies.push(proxy);
    } catch (error) {
      console.error(`left out: ${name}: ${(error as Error).message}`);
    }
  }
  for (let round = 0; round < context.rounds; round++) {
    for (const proxy of proxies) {
      await measure(proxy).catch((error: Error) => console.error(`  ${proxy.name}: ${error.message}`));
    }
  }
}
