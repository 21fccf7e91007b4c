/**
 * Random valid configurations through `nft -c`: the kernel has to take the ruleset of each.
 *
 *     npm run fuzz:nftables -- [--configurations 10000] [--seed 1]
 *
 * Many tables go into one run of nft, each with a name of its own; a refused batch is halved until the
 * one is found that nft does not take. Needs root, and changes nothing.
 */
import { spawnSync } from 'node:child_process';
import { argv, exit } from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import * as fc from 'fast-check';
import type { Ruleset } from '../../../src/nftables/ruleset.ts';
import { wholeScript } from '../../../src/nftables/ruleset-script.ts';
import { programPath } from '../../support/debian.ts';
import { rulesets } from './configurations.ts';

const batchSize = 50;

export interface FuzzResult {
  passed: number;
  failures: { error: string; text: string }[];
}

export function fuzzRulesets(count: number, seed: number): FuzzResult {
  const result: FuzzResult = { passed: 0, failures: [] };
  for (let done = 0; done < count; done += batchSize) {
    const size = Math.min(batchSize, count - done);
    // A seed for each batch, and so for each table: one that fails is made again without those before it.
    checkBatch(fc.sample(rulesets, { numRuns: size, seed: seed + done }), result);
  }
  return result;
}

function checkBatch(batch: readonly Ruleset[], result: FuzzResult): void {
  const text = batch
    .map((ruleset, i) => wholeScript({ ...ruleset, table: `${ruleset.table}_${i}` }).text)
    .join('');
  const error = refusal(text);
  if (error === null) {
    result.passed += batch.length;
  } else if (batch.length === 1) {
    result.failures.push({ error, text });
  } else {
    const half = batch.length >> 1;
    checkBatch(batch.slice(0, half), result);
    checkBatch(batch.slice(half), result);
  }
}

function refusal(text: string): string | null {
  const { status, stderr } = spawnSync(programPath('nft'), ['-c', '-f', '-'], {
    input: text,
    encoding: 'utf8',
  });
  return status === 0 ? null : stderr.slice(0, 1000);
}

function main(): number {
  const { values } = parseArgs({
    options: { configurations: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
  });
  const startedAt = performance.now();
  const { passed, failures } = fuzzRulesets(Number(values.configurations), Number(values.seed));
  for (const { error, text } of failures.slice(0, 3)) console.log(`${error}\n${text}`);
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`${passed} passed, ${failures.length} failed, in ${seconds.toFixed(1)} s`);
  return failures.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) exit(main());
