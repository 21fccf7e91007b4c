/**
 * A SmartProxy in a process of its own. Run with options as JSON in the first argument; it answers
 * questions over IPC, and tells `listeners` once it is ready.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SmartProxyOptions } from '../../src/config/schema.ts';
import { openDescriptors } from '../../src/smart-proxy/descriptor-budget.ts';
import type { ListeningAddress } from '../../src/smart-proxy/listening.ts';
import { SmartProxy } from '../../src/smart-proxy/smart-proxy.ts';
import type { Statistics } from '../../src/smart-proxy/statistics.ts';

export interface ProcessReport {
  listeners: ListeningAddress[];
  statistics: Statistics;
  descriptors: number | null;
  /** The most that were ever open. */
  mostDescriptors: number;
}

/** The other side of it: the child, asked from a test. `await using`. */
export class ProxyProcess implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** `shell` runs before it in the same process: `ulimit -n 128`. `fd` becomes its descriptor 3. */
  static async start(
    options: SmartProxyOptions,
    { shell = ':', fd }: { shell?: string; fd?: number } = {},
  ): Promise<ProxyProcess> {
    const script = `${shell}; exec "$0" "$@"`;
    const parameters = [
      '-c',
      script,
      process.execPath,
      fileURLToPath(import.meta.url),
      JSON.stringify(options),
    ];
    const child = spawn('/bin/sh', parameters, {
      stdio: ['ignore', 'inherit', 'inherit', fd ?? 'ignore', 'ipc'],
    });
    const [ready] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
    if (ready !== 'ready') throw new Error(`the proxy's process ended: ${JSON.stringify(ready)}`);
    return new ProxyProcess(child);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  async report(): Promise<ProcessReport> {
    const answer = once(this.#child, 'message');
    this.#child.send('report');
    const [report] = (await answer) as [ProcessReport];
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }
}

async function main(options: SmartProxyOptions): Promise<void> {
  const proxy = new SmartProxy(options);
  let mostDescriptors = 0;
  const look = (): void => {
    mostDescriptors = Math.max(mostDescriptors, openDescriptors() ?? 0);
  };
  proxy.on('connection', look);
  await proxy.start();
  process.on('message', () => {
    look();
    const statistics = proxy.getStatistics();
    process.send?.({
      listeners: proxy.listeners(),
      statistics,
      descriptors: openDescriptors(),
      mostDescriptors,
    });
  });
  process.on('disconnect', () => void proxy.stop({ graceMs: 0 }));
  process.send?.('ready');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(JSON.parse(process.argv[2] as string));
