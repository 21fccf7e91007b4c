/**
 * Prints which scenarios of docs/scenarios.md have a test.
 *
 *     node scripts/scenarios.ts [--require L1-L5,T1]
 *
 * A test covers a scenario by a comment of its own on the line above it: `// L3` or `// T1, T2`.
 * With `--require` the exit code is 1 where one of the named scenarios has none.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(import.meta.dirname);

interface Scenario {
  id: string;
  title: string;
}

export function parseScenarios(markdown: string): Scenario[] {
  return [...markdown.matchAll(/^- ([A-Z]\d+): (.+)$/gm)].map(([, id = '', title = '']) => ({ id, title }));
}

const comment = /^\s*\/\/ ([A-Z]\d+(?:, ?[A-Z]\d+)*)(?:[:.].*)?$/;
const testStart = /^\s*(?:await )?(?:test|it|describe|suite|scenario)\b\s*(?:\.\w+)?\(/;

/** The ids that a test file covers: only comments that stand on a test count, other comments may lie between. */
export function coveredIds(source: string): Set<string> {
  const covered = new Set<string>();
  let waiting: string[] = [];
  for (const line of source.split('\n')) {
    const ids = comment.exec(line)?.[1]?.split(/, ?/);
    if (ids) waiting.push(...ids);
    else if (testStart.test(line)) for (const id of waiting) covered.add(id);
    if (!ids && !/^\s*(\/\/|$)/.test(line)) waiting = [];
  }
  return covered;
}

/** `L1-L3,T1` spelled out. */
export function expandIds(list: string): string[] {
  return list.split(',').flatMap((part) => {
    const range = /^([A-Z])(\d+)-\1(\d+)$/.exec(part.trim());
    if (!range) return [part.trim()];
    const [from, to] = [Number(range[2]), Number(range[3])];
    return Array.from({ length: to - from + 1 }, (_, index) => `${range[1]}${from + index}`);
  });
}

/** Every covered id with the files whose tests cover it. */
function coverage(): Map<string, string[]> {
  const files = new Map<string, string[]>();
  for (const file of globSync('test/**/*.ts', { cwd: root }).sort()) {
    for (const id of coveredIds(readFileSync(join(root, file), 'utf8'))) {
      files.set(id, [...(files.get(id) ?? []), file]);
    }
  }
  return files;
}

function main(): number {
  const { values } = parseArgs({ options: { require: { type: 'string', default: '' } } });
  const scenarios = parseScenarios(readFileSync(join(root, 'docs', 'scenarios.md'), 'utf8'));
  const covered = coverage();
  for (const { id, title } of scenarios) {
    const files = covered.get(id);
    console.log(
      `${files ? 'test' : '  – '} ${id.padEnd(4)}${title}${files ? `\n          ${files.join(' ')}` : ''}`,
    );
  }
  const unknown = [...covered.keys()].filter((id) => !scenarios.some((scenario) => scenario.id === id));
  const missing = values.require === '' ? [] : expandIds(values.require).filter((id) => !covered.has(id));
  const count = scenarios.filter(({ id }) => covered.has(id)).length;
  console.log(`${count} of ${scenarios.length} scenarios have a test`);
  if (unknown.length > 0) console.error(`no such scenario: ${unknown.join(', ')}`);
  if (missing.length > 0) console.error(`required, but without a test: ${missing.join(', ')}`);
  return missing.length === 0 ? 0 : 1;
}

if (argv[1] === fileURLToPath(import.meta.url)) exit(main());
