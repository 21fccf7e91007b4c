import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TransportListener } from '../../src/base/transport.ts';
import { MemoryTransport } from '../../src/transport/memory-transport.ts';
import { firstFailing } from './runner.ts';

/** A mutant that survives this many seeds was not noticed. */
export const patience = 1_500;

/** Puts `broken` in place of a method while `body` runs. */
export async function withBroken<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  broken: (original: T[K]) => T[K],
  body: () => Promise<void>,
): Promise<void> {
  const original = prototype[name];
  prototype[name] = broken(original);
  try {
    await body();
  } finally {
    prototype[name] = original;
  }
}

export function mutation<T extends object, K extends keyof T>(
  fault: string,
  prototype: T,
  name: K,
  broken: (original: T[K]) => T[K],
): void {
  test(`the simulation notices: ${fault}`, () =>
    withBroken(prototype, name, broken, async () => {
      const noticed = await firstFailing(patience);
      assert.ok(noticed !== null, `${patience} seeds passed although ${fault}`);
    }));
}

/** Changes what the relay's own listeners hear. */
export function relayHears(
  change: (listener: TransportListener, transport: MemoryTransport) => Partial<TransportListener>,
): (original: MemoryTransport['setListener']) => MemoryTransport['setListener'] {
  return (original) =>
    function (this: MemoryTransport, listener) {
      const isRelay = listener?.constructor.name === 'RelaySide';
      original.call(this, isRelay ? { ...passOn(listener), ...change(listener, this) } : listener);
    };
}

function passOn(listener: TransportListener): TransportListener {
  return {
    onData: (bytes, loan) => listener.onData(bytes, loan),
    onEnd: () => listener.onEnd(),
    onDrain: () => listener.onDrain(),
    onFinish: () => listener.onFinish(),
    onError: (error) => listener.onError(error),
    onClose: () => listener.onClose(),
  };
}

export function mutateRelay(fault: string, change: Parameters<typeof relayHears>[0]): void {
  mutation(fault, MemoryTransport.prototype, 'setListener', relayHears(change));
}
