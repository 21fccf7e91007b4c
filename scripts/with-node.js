// Runs a script of this repository with the Node that it pins:
//   node scripts/with-node.js <file> [arguments]
// Installs what is missing first, so that `npm start` and `npm test` work on a fresh clone with
// nothing but an old Node and npm. Plain JavaScript, and nothing imported but Node's own.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** The packages of the lock file that are absent, or present in another version. */
function missingPackages() {
  const locked = Object.entries(readJson(join(root, 'package-lock.json')).packages);
  return locked
    .filter(
      ([path, entry]) => path !== '' && !entry.optional && !entry.link && !isInstalled(path, entry.version),
    )
    .map(([path]) => path);
}

function isInstalled(path, version) {
  try {
    return readJson(join(root, path, 'package.json')).version === version;
  } catch {
    return false;
  }
}

/** Runs npm with its talk on stderr, so that stdout stays the command's own. */
function npm(...args) {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  // On Windows npm is a .cmd file, which only a shell can start.
  const result = spawnSync('npm', [...args, ...quiet], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  return result.status === 0;
}

/** Where the pinned Node can be: placed by its install script, or as the platform's package brings it. */
function pinnedNode(version) {
  const arch = process.arch;
  const family = process.platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node';
  const name = `${family}-${process.platform === 'win32' ? 'win' : process.platform}-${arch}`;
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  const cache = join('.cache', `node-${version}`);
  const found = [
    join(root, 'node_modules', 'node', 'bin', file),
    join(root, 'node_modules', 'node', 'node_modules', name, 'bin', file),
    join(root, 'node_modules', name, 'bin', file),
    join(root, cache, 'node_modules', name, 'bin', file),
  ].find(runs);
  return { found, fetch: () => npm('install', '--no-save', '--prefix', cache, `${name}@${version}`) };
}

function runs(path) {
  return existsSync(path) && spawnSync(path, ['--version']).status === 0;
}

/** The path of the pinned Node. Where install scripts are disallowed it is fetched by itself. */
function findNode() {
  const version = readJson(join(root, 'package.json')).devDependencies.node;
  let node = pinnedNode(version);
  if (!node.found && node.fetch()) node = pinnedNode(version);
  if (node.found) return node.found;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) {
    console.error(`Node ${version} cannot be installed here; going on with Node ${process.versions.node}.`);
    return process.execPath;
  }
  console.error(
    `Node ${version} cannot be installed here, and ${process.versions.node} is older than 22.18.`,
  );
  return process.exit(1);
}

function installDependencies() {
  const missing = missingPackages();
  if (missing.length === 0) return;
  console.error(`Installing dependencies (${missing.length} missing) …`);
  if (npm('ci') || npm('ci', '--ignore-scripts')) return;
  console.error(
    'npm ci failed: the lines above say why. SmartProxy needs its dependencies from the npm registry.',
  );
  process.exit(1);
}

installDependencies();
const node = findNode();
const path = [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
const [file, ...args] = process.argv.slice(2);
const child = spawn(node, [join(root, file), ...args], {
  stdio: 'inherit',
  env: { ...process.env, PATH: path },
});

// In a terminal Ctrl-C reaches the child by itself; forwarded it would count as a second one.
const inTerminal = [0, 1, 2].some((fd) => [process.stdin, process.stdout, process.stderr][fd].isTTY);
process.on('SIGINT', () => inTerminal || child.kill('SIGINT'));
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.on('SIGHUP', () => child.kill('SIGHUP'));
child.on('error', (error) => {
  console.error(`${node}: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
