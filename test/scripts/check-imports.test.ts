import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { checkImports, importsOf } from '../../scripts/check-imports.ts';

/** Checks a source tree made of these files, and removes it. */
function problemsOf(files: Record<string, string>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'smartproxy-imports-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return checkImports(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const leaf = 'export const a = 1;\n';

describe('the import check', () => {
  it('accepts imports of lower rungs and of the same room', () => {
    const problems = problemsOf({
      'base/a.ts': leaf,
      'config/b.ts': "import { a } from '../base/a.ts';\nexport const b = a;\n",
      'config/c.ts': "import type { b } from './b.ts';\nimport { x } from 'zod';\n",
      'index.ts': "export * from './config/b.ts';\n",
    });
    assert.deepEqual(problems, []);
  });

  it('refuses a climb, types too', () => {
    const problems = problemsOf({
      'base/a.ts': "\nimport type { b } from '../smart-proxy/b.ts';\n",
      'smart-proxy/b.ts': leaf,
    });
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', /^base.a\.ts:2: base \(rung 0\) must not import smart-proxy \(rung 5\)/);
  });

  it('refuses a neighbour on the same rung', () => {
    const problems = problemsOf({
      'routing/a.ts': "export { a } from '../connection/b.ts';\n",
      'connection/b.ts': leaf,
    });
    assert.match(problems.join('\n'), /routing \(rung 2\) must not import connection \(rung 2\)/);
  });

  it('refuses a circle and shows its way', () => {
    const problems = problemsOf({
      'base/a.ts': "import './b.ts';\n",
      'base/b.ts': "import './c.ts';\n",
      'base/c.ts': "const a = await import('./a.ts');\n",
    });
    assert.deepEqual(
      problems.map((problem) => problem.replaceAll('\\', '/')),
      ['cycle: base/a.ts → base/b.ts → base/c.ts → base/a.ts'],
    );
  });

  it('keeps files and child processes out of hot rooms', () => {
    const problems = problemsOf({
      'transport/a.ts': "import { readFile } from 'node:fs/promises';\n",
      'forwarding/b.ts': "import { spawn } from 'node:child_process';\n",
      'admin/c.ts': "import { readFile } from 'node:fs/promises';\n",
    });
    assert.equal(problems.length, 2);
    assert.match(problems.join('\n'), /forwarding\/ is hot.*\n.*transport\/ is hot/);
  });

  it('lets the dashboard share types with the server, and nothing else in either direction', () => {
    const problems = problemsOf({
      'admin/messages.ts': leaf,
      'admin/dashboard/a.tsx': "import type { A } from '../messages.ts';\nimport { b } from './b.ts';\n",
      'admin/dashboard/b.ts': "import { render } from 'preact';\nexport type { A } from '../messages.ts';\n",
      'admin/dashboard/c.ts': "import { a } from '../messages.ts';\n",
      'admin/dashboard/d.ts': "import { type A } from '../messages.ts';\n",
      'admin/dashboard/e.ts': "import { readFile } from 'node:fs/promises';\n",
      'admin/server.ts': "import { b } from './dashboard/b.ts';\n",
    });
    assert.deepEqual(
      problems.map((problem) => problem.split(':', 1)[0]?.replaceAll('\\', '/')),
      ['admin/dashboard/c.ts', 'admin/dashboard/d.ts', 'admin/dashboard/e.ts', 'admin/server.ts'],
    );
  });

  it('refuses a room without a rung, a missing file, and a way out of the folder', () => {
    const problems = problemsOf({
      'helpers/a.ts': "import '../base/b.ts';\n",
      'base/b.ts': "import './gone.ts';\n",
      'base/c.ts': "import '../../secret.ts';\n",
    });
    assert.equal(problems.length, 3);
  });

  it('reads every form of import and no comment', () => {
    const source = `
      import a, { b } from './a.ts';
      import {
        c,
      } from './c.ts';
      export type { D } from './d.ts';
      import './e.ts';
      const f = await import('./f.ts');
      // import './g.ts';
      /* import './h.ts'; */
    `;
    const found = importsOf(source).map((entry) => entry.specifier);
    assert.deepEqual(found, ['./a.ts', './c.ts', './d.ts', './e.ts', './f.ts']);
  });
});
