/** Compiles src/ to dist/: JavaScript with type declarations, for the package, and the dashboard's files beside it. */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exit } from 'node:process';

const root = dirname(import.meta.dirname);
rmSync(join(root, 'dist'), { recursive: true, force: true });
// On stderr: `npm pack --json` and its like keep their stdout.
const compiler = join(root, 'node_modules', '.bin', 'tsc');
const result = spawnSync(compiler, ['-p', 'tsconfig.build.json'], { cwd: root, stdio: ['ignore', 2, 2] });
if (result.status !== 0) exit(result.status ?? 1);
cpSync(join(root, 'src', 'admin', 'static'), join(root, 'dist', 'admin', 'static'), { recursive: true });
