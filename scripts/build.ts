/** Compiles src/ to dist/: JavaScript with type declarations, for the package. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exit } from 'node:process';

const root = dirname(import.meta.dirname);
rmSync(join(root, 'dist'), { recursive: true, force: true });
// On stderr: `npm pack --json` and its like keep their stdout.
const compiler = join(root, 'node_modules', '.bin', 'tsc');
const result = spawnSync(compiler, ['-p', 'tsconfig.build.json'], { cwd: root, stdio: ['ignore', 2, 2] });
exit(result.status ?? 1);
