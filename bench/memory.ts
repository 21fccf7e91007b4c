/** Memory of idle connections, and what happens when 8,000 of them end at once. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { accepts, freePort, waitUntil } from '../test/support/workspace.ts';
import { ask, withChild } from './children.ts';
import type { LoopDelay } from './probe.ts';
import { descriptorsOf, residentBytes } from './processes.ts';
import { type ProxyName, pairArguments, startProxy } from './proxies.ts';
import type { BenchContext } from './throughput.ts';

/** Open before the first look, so that code and heap of the first connections are not counted. */
const warm = 200;
const few = 1_000;
const many = 8_000;
/** Until a garbage collector that was going to run has run. */
const settleMs = 3_000;

export async function withBackend(use: (port: number) => Promise<void>): Promise<void> {
  const port = await freePort();
  await withChild('holder.ts', ['serve', `${port}`], async () => {
    await waitUntil('the backend', async () => (await accepts(port)) || undefined);
    await use(port);
  });
}

/** Opens connections to a port when it is told to, and keeps them for as long as `use` runs. */
export function withHolder(port: number, use: (holder: ChildProcess) => Promise<void>): Promise<void> {
  return withChild('holder.ts', ['hold', `${port}`], use);
}

/** KB per pair, above what the proxy needs before the first one. One round: memory is not noisy. */
export async function idle(context: BenchContext): Promise<void> {
  await withBackend(async (target) => {
    for (const name of context.proxies) {
      if (name !== 'direct') await measureIdle(context, name, target);
    }
  });
}

async function measureIdle(context: BenchContext, name: ProxyName, target: number): Promise<void> {
  const { ports, program } = await startProxy(context.workspace, name, [target]);
  const pid = program?.pid ?? 0;
  await withHolder(ports[0] ?? 0, async (holder) => {
    await ask(holder, { open: warm });
    await delay(settleMs);
    const before = residentBytes(pid);
    await ask(holder, { open: few });
    await delay(settleMs);
    context.measured.add('idle1000', name, (residentBytes(pid) - before) / few / 1000);
    await ask(holder, { open: many - few - warm });
    await delay(settleMs);
    context.measured.add('idle8000', name, (residentBytes(pid) - before) / (many - warm) / 1000);
  });
  await program?.stop();
}

/** Only proxies that run in Node have an event loop to ask. */
const cleanupPrograms: Partial<Record<ProxyName, string>> = {
  pipe: 'pipe-proxy.ts',
  smartproxy: 'embedded-proxy.ts',
};

export async function cleanup(context: BenchContext): Promise<void> {
  await withBackend(async (target) => {
    for (let round = 0; round < context.rounds; round++) {
      for (const name of context.proxies) {
        const program = cleanupPrograms[name];
        if (!program) continue;
        context.measured.add('cleanup', name, (await measureCleanup(program, target, 'close')).p99);
        context.measured.add('cleanupReset', name, (await measureCleanup(program, target, 'reset')).p99);
      }
    }
  });
}

async function measureCleanup(program: string, target: number, how: 'close' | 'reset'): Promise<LoopDelay> {
  const port = await freePort();
  return withChild(program, pairArguments([{ port, target }]), async (proxy) => {
    await waitUntil(program, async () => (await accepts(port)) || undefined);
    return withChild('holder.ts', ['hold', `${port}`], async (holder) => {
      await ask(holder, { open: many });
      await delay(settleMs);
      await ask(proxy, 'start');
      await ask(holder, how);
      await waitUntil('every socket to be gone', () => descriptorsOf(proxy.pid ?? 0) < few / 10 || undefined);
      return (await ask(proxy, 'stop')) as LoopDelay;
    });
  });
}
