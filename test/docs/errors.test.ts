import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { reasonInitiators } from '../../src/base/termination.ts';

const headings = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^### (\S+)$/gm)].map(
  ([, name]) => name,
);

test('every reason has a heading, and every error code that the source makes', () => {
  const codes = new Set<string>(Object.keys(reasonInitiators));
  for (const file of globSync('src/**/*.ts')) {
    const text = readFileSync(file, 'utf8');
    const made = text.matchAll(/(?:new SmartProxyError|failure|super)\(\s*(?:\d+,\s*)?'([a-z][a-z-]+)'/g);
    for (const [, code] of made) codes.add(code as string);
  }
  const missing = [...codes].filter((code) => !headings.includes(code));
  assert.deepEqual(missing, []);
  assert.equal(new Set(headings).size, headings.length, 'no heading twice');
});
