/**
 * Our HTTP/1.1 parser against Node's own (llhttp, strict), over mutated requests and responses,
 * whole and in pieces. Ours must never accept what llhttp rejects, and must never see another
 * framing; where ours is stricter, the difference must be one of differences.ts.
 *
 *     npm run fuzz:http1 -- [--cases 200000] [--seed 1]
 *
 * Case n has the seed `seed + n`: a failing one is repeated with its own seed and `--cases 1`.
 */
import { argv, exit } from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { RefusalCode } from '../../../src/network-proxy/http1/refusals.ts';
import { compare } from './compare.ts';
import { stricter } from './differences.ts';
import { makeTrial } from './mutation.ts';
import { Oracle } from './oracle.ts';
import { OurReader } from './ours.ts';

export interface FuzzResult {
  passed: number;
  failures: { seed: number; failure: string; text: string }[];
  failed: number;
  counts: Map<string, number>;
}

const keptFailures = 20;

export function fuzzHttp1(cases: number, firstSeed: number): FuzzResult {
  const result: FuzzResult = { passed: 0, failed: 0, failures: [], counts: new Map() };
  const { stackTraceLimit } = Error;
  // llhttp makes an Error of each refusal: its stack costs more than the parsing.
  Error.stackTraceLimit = 0;
  const judges = { oracle: new Oracle(), reader: new OurReader() };
  for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
    const trial = makeTrial(seed);
    const { kind, failure } = compare(trial, judges);
    result.counts.set(kind, (result.counts.get(kind) ?? 0) + 1);
    if (failure === null) result.passed++;
    else if (++result.failed <= keptFailures) {
      result.failures.push({ seed, failure, text: JSON.stringify(trial.bytes.toString('latin1')) });
    }
  }
  Error.stackTraceLimit = stackTraceLimit;
  return result;
}

function main(): number {
  const { values } = parseArgs({
    options: { cases: { type: 'string', default: '200000' }, seed: { type: 'string', default: '1' } },
  });
  const startedAt = performance.now();
  const { passed, failed, failures, counts } = fuzzHttp1(Number(values.cases), Number(values.seed));
  for (const [kind, count] of [...counts].sort(([a], [b]) => a.localeCompare(b))) {
    const reason = stricter[kind.split(': ')[1] as RefusalCode];
    console.log(`${String(count).padStart(9)}  ${kind}${reason === undefined ? '' : ` – ${reason}`}`);
  }
  for (const { seed, failure, text } of failures) console.log(`seed ${seed}: ${failure}\n    ${text}`);
  console.log(`${Math.round((passed + failed) / ((performance.now() - startedAt) / 1000))} cases per second`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) exit(main());
