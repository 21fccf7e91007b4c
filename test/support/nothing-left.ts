import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import type { SmartProxy } from '../../src/smart-proxy/smart-proxy.ts';
import { eventually } from './eventually.ts';

/**
 * Proves that every connection of a running proxy has ended, that its books agree with each
 * other and with Node's own count of sockets, and that its sums add up.
 */
export async function nothingLeft(proxy: SmartProxy): Promise<void> {
  const counts = () => {
    const { connections, audit } = proxy.getStatistics();
    return { active: connections.active, sockets: audit.sockets };
  };
  await eventually(
    () => `every connection has ended; left: ${JSON.stringify(proxy.control.connections())}`,
    () => counts().active === 0 && counts().sockets === 0,
  );
  const { connections, refusals, terminations, cleanup, audit } = proxy.getStatistics();
  const { records, sockets, addresses, timers, consistent } = audit;
  assert.deepEqual(
    { records, sockets, addresses, timers, consistent },
    { records: 0, sockets: 0, addresses: 0, timers: 0, consistent: true },
  );
  assert.equal(connections.opened, connections.terminated);
  assert.equal(sum(terminations), connections.terminated, 'the terminations by reason');
  assert.equal(sum(cleanup), connections.terminated, 'the terminations by kind of clean-up');
  assert.equal(sum(refusals), connections.refused, 'the refusals by reason');
  assert.equal(cleanup.orphaned, 0);
  assert.equal(terminations['internal-error'] ?? 0, 0);
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);
}

/** What this process holds of the machine: a proxy that has stopped, or lost a connection, adds nothing. */
export interface Holdings {
  /** Descriptors of sockets, listening ones included. */
  sockets: number;
  timers: number;
}

export function holdings(): Holdings {
  return {
    sockets: readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).startsWith('socket:')).length,
    timers: process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind === 'Immediate')
      .length,
  };
}

/** Waits until no more is held than before. */
export async function holdsNoMoreThan(before: Holdings): Promise<void> {
  // The wait itself has a timer while it waits.
  await eventually(
    () => `no more is held than before: ${JSON.stringify({ before, now: holdings() })}`,
    () => holdings().sockets <= before.sockets && holdings().timers <= before.timers,
  );
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
