import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstFailing, type WorldKind } from './runner.ts';

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

type Mutation = <T extends object, K extends keyof T>(
  fault: string,
  prototype: T,
  name: K,
  broken: (original: T[K]) => T[K],
) => void;

/** Tests that worlds of a kind notice a fault in the real code. */
export function mutationsIn(kind: WorldKind): Mutation {
  return (fault, prototype, name, broken) => {
    test(`the simulation notices: ${fault}`, () =>
      withBroken(prototype, name, broken, async () => {
        const noticed = await firstFailing(kind, patience);
        assert.ok(noticed !== null, `${patience} seeds passed although ${fault}`);
      }));
  };
}
