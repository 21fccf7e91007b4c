import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfiguration } from '../../src/config/load.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import { machine } from './samples.ts';

const root = new URL('../../', import.meta.url);
const schemaModule = new URL('src/config/schema.ts', root).href;

test('every example in the documentation is a valid configuration without warnings', async () => {
  const text = await readFile(new URL('docs/configuration.md', root), 'utf8');
  const examples = [...text.matchAll(/^```(ts|yaml|json)\n([\s\S]*?)^```$/gm)];
  assert.ok(examples.length >= 7, 'examples were found');
  const folder = await mkdtemp(join(tmpdir(), 'smartproxy-docs-'));
  try {
    for (const [index, [, language, body]] of examples.entries()) {
      const file = join(folder, `example-${index}.${language === 'ts' ? 'mts' : language}`);
      await writeFile(file, body!.replace("'smartproxy'", JSON.stringify(schemaModule)));
      const { input } = await loadConfiguration(file, {});
      assert.deepEqual(resolveOptions(input, machine).warnings, [], body);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the first configuration says the same in TypeScript and in YAML', async () => {
  const text = await readFile(new URL('docs/configuration.md', root), 'utf8');
  const names = (language: string, name: RegExp) =>
    [...new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)![1]!.matchAll(name)].map(
      ([, found]) => found,
    );
  assert.deepEqual(names('yaml', /name: (\w+)/g), names('ts', /name: '(\w+)'/g));
});

test('docs/configuration.md is what the schema says', () => {
  execFileSync(process.execPath, ['scripts/generate-configuration-docs.ts', '--check'], { cwd: root });
});
