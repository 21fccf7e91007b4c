import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { SmartProxyOptions } from '../../../src/config/schema.ts';
import { tableText, wholeScript } from '../../../src/nftables/ruleset-script.ts';
import { hasPrograms, needsRoot } from '../../support/debian.ts';
import { attacks, compile, rulesets, sample } from './configurations.ts';
import { fuzzRulesets } from './run.ts';

const machineNetworks = { networks: ['10.0.0.0/24'], routesLoopback: false };

test('the kernel takes the ruleset of every valid configuration', (context) => {
  if (!hasPrograms(context, 'nft') || !needsRoot(context)) return;
  const { passed, failures } = fuzzRulesets(150, 20_000);
  assert.deepEqual(failures, []);
  assert.equal(passed, 150);
});

test('a ruleset is made of words, numbers and addresses, whatever its routes are called', () => {
  const line =
    /^[ a-zA-Z0-9_.:;,/|&^=!<>@(){}-]*(comment "[ a-zA-Z0-9_,]+"|ct timeout set "[a-z0-9_]+"|oifname "lo" return)?[,;]?( : 0x[0-9a-f]{8},)?$/;
  fc.assert(
    fc.property(rulesets, (ruleset) => {
      for (const text of wholeScript(ruleset).text.split('\n')) assert.match(text, line);
    }),
    { numRuns: 100 },
  );
});

test('no text in any field of a configuration breaks out of its place', () => {
  let tried = 0;
  let refused = 0;
  for (const attack of attacks) {
    for (const changed of everyStringChanged((text) => [attack, `${text}${attack}`, `${attack}${text}`])) {
      tried++;
      const ruleset = compile(changed as SmartProxyOptions, machineNetworks);
      if (ruleset === undefined) refused++;
      // A name may be any text: then the table is that of the name's digest alone, and has nothing of it.
      else
        assert.equal(withoutDigests(tableText(ruleset)), withoutDigests(untouched), JSON.stringify(attack));
    }
  }
  assert.ok(tried > 500);
  // All fields but the name of the route refuse them.
  assert.ok(refused > tried * 0.85, `${refused} of ${tried} refused`);
});

const untouched = tableText(compile(sample(), machineNetworks) as NonNullable<ReturnType<typeof compile>>);

function withoutDigests(text: string): string {
  return text.replaceAll(/comment "[0-9a-f]{24}"/g, 'comment ""');
}

/** Copies of the sample in each of which one string is another. */
function* everyStringChanged(change: (text: string) => string[]): Generator<unknown> {
  const whole = sample();
  for (const path of stringPaths(whole)) {
    for (const text of change(String(valueAt(whole, path)))) {
      const copy = sample();
      const last = path.at(-1) as string;
      (valueAt(copy, path.slice(0, -1)) as Record<string, unknown>)[last] = text;
      yield copy;
    }
  }
}

function stringPaths(value: unknown, path: string[] = []): string[][] {
  if (typeof value === 'string') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => stringPaths(inner, [...path, key]));
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((inner, key) => (inner as Record<string, unknown>)[key], value);
}
