/**
 * Makes the dashboard's static files from its sources.
 *
 *     node scripts/build-dashboard.ts            writes src/admin/static/
 *     node scripts/build-dashboard.ts --check    fails where they are not what the sources give
 *
 * They are kept in the repository, so that a clone runs without being built (docs/decisions/0080).
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { argv, env, exit } from 'node:process';
import { build } from 'vite';
import configuration from '../src/admin/dashboard/vite.config.ts';

const kept = join(dirname(import.meta.dirname), 'src', 'admin', 'static');
// Vite builds differently where this says otherwise.
env.NODE_ENV = 'production';

async function buildInto(folder: string): Promise<void> {
  await build({ ...configuration, configFile: false, build: { ...configuration.build, outDir: folder } });
}

/** The files that differ, are missing, or are too many. */
function differences(folder: string): string[] {
  const names = new Set([...readdirSync(kept), ...readdirSync(folder)]);
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  return [...names].filter((name) => read(join(kept, name)) !== read(join(folder, name)));
}

if (argv.includes('--check')) {
  const folder = mkdtempSync(join(tmpdir(), 'smartproxy-dashboard-'));
  await buildInto(folder);
  const different = differences(folder);
  rmSync(folder, { recursive: true });
  if (different.length > 0) {
    console.error(`not fresh in src/admin/static: ${different.join(', ')} (node scripts/build-dashboard.ts)`);
    exit(1);
  }
} else await buildInto(kept);
