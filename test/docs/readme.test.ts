import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processEnvironment } from '../../src/config/environment.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import { Workspace } from '../support/workspace.ts';

const root = join(import.meta.dirname, '..', '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The code blocks of one language. */
function snippets(language: string): string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, code = '']) => code,
  );
}

describe('the package', () => {
  it('has the pages that its pages lead to', () => {
    const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
    const pages = files.filter((file) => /^docs\/.*\.md$/.test(file));
    assert.ok(pages.length > 5);
    for (const page of pages) {
      const text = readFileSync(join(root, page), 'utf8');
      for (const [, other = ''] of text.matchAll(/\]\(([a-z-]+\.md)[#)]/g))
        assert.ok(files.includes(`docs/${other}`), `${page} leads to ${other}`);
    }
  });
});

describe('the README', () => {
  it('shows a configuration file that is right', async (t) => {
    const workspace = Workspace.of(t, 'readme');
    const [yaml = ''] = snippets('yaml');
    const { input } = await loadConfiguration(workspace.write('smartproxy.config.yaml', yaml));
    const { options, warnings } = resolveOptions(input, processEnvironment());
    assert.deepEqual([options.routes.length, warnings], [4, []]);
  });

  it('shows a program that runs', async (t) => {
    const workspace = Workspace.of(t, 'readme');
    const [program = ''] = snippets('ts');
    const index = pathToFileURL(join(root, 'src', 'index.ts')).href;
    const runnable = `${program.replace("'smartproxy'", `'${index}'`).replaceAll(/ports: \d+/g, 'ports: 0')}
console.log('listening', proxy.listeners().length);
await proxy.stop();
`;
    assert.match(await workspace.run(execPath, [workspace.write('main.ts', runnable)]), /listening 2/);
  });

  it('and every other page link only to files that are there', () => {
    const pages = globSync('{*.md,docs/**/*.md}', { cwd: root });
    const missing = pages.flatMap((page) => {
      const text = readFileSync(join(root, page), 'utf8');
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, link = '']) => link);
      return links.filter((link) => globSync(join(dirname(page), link), { cwd: root }).length === 0);
    });
    assert.deepEqual(missing, []);
  });
});
