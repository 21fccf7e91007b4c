/** The Node packages that are measured beside SmartProxy: they belong to this folder alone. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Manifest {
  version: string;
  dependencies: Record<string, string>;
}

const folder = import.meta.dirname;
const manifest = (...path: string[]): Manifest =>
  JSON.parse(readFileSync(join(folder, ...path, 'package.json'), 'utf8'));
const names = (): string[] => Object.keys(manifest().dependencies);

function versionOf(name: string): string | undefined {
  try {
    return manifest('node_modules', name).version;
  } catch {
    return undefined;
  }
}

/** Installs what is missing. Says so, and returns false, where that fails. */
export function installPeers(): boolean {
  const missing = names().filter((name) => versionOf(name) === undefined);
  if (missing.length === 0) return true;
  console.error(`installing ${missing.join(', ')} …`);
  const options = ['--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', ['ci', ...options], { cwd: folder, stdio: ['ignore', 2, 2] });
  if (status !== 0) console.error('left out: the Node peers; npm could not install them');
  return status === 0;
}

/** `name version; …`, of what is installed. */
export function peerVersions(): string {
  return names()
    .map((name) => `${name} ${versionOf(name) ?? 'not here'}`)
    .join('; ');
}
