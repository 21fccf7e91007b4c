/** Programs of other projects that the end-to-end tests and the benchmarks drive, and how they get here. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { env, getuid } from 'node:process';
import type { TestContext } from 'node:test';

/** A program and the Debian package that brings it. Some live outside of everybody's PATH. */
const programs = {
  caddy: 'caddy',
  'chromium-headless-shell': 'chromium-headless-shell',
  conntrack: 'conntrack',
  curl: 'curl',
  h2load: 'nghttp2-client',
  haproxy: 'haproxy',
  ip: 'iproute2',
  iperf3: 'iperf3',
  mount: 'mount',
  nft: 'nftables',
  nghttp: 'nghttp2-client',
  nginx: 'nginx',
  openssl: 'openssl',
  pebble: 'pebble',
  'pebble-challtestsrv': 'pebble',
  postgres: 'postgresql',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  psql: 'postgresql-client',
  'redis-benchmark': 'redis-tools',
  'redis-cli': 'redis-tools',
  'redis-server': 'redis-server',
  ssh: 'openssh-client',
  sshd: 'openssh-server',
  tmux: 'tmux',
  unshare: 'util-linux',
  'update-ca-certificates': 'ca-certificates',
  wrk: 'wrk',
} as const;

export type Program = keyof typeof programs;

const folders = [
  ...(env.PATH ?? '').split(delimiter),
  '/usr/sbin',
  '/usr/lib/chromium-headless-shell',
  ...globSync('/usr/lib/postgresql/*/bin').sort().reverse(),
];

/** Where a program is; undefined where it is missing. */
export function findProgram(name: Program): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The package that brings a program. */
export function packageOf(name: Program): string {
  return programs[name];
}

/** The path of a program that is known to be there. */
export function programPath(name: Program): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is missing: it comes with the package ${packageOf(name)}`);
  return path;
}

/** Whether the programs are here; where not, the test is skipped with what would bring them (a failure in CI). */
export function hasPrograms(context: TestContext, ...names: Program[]): boolean {
  const missing = names.filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return true;
  const reason = `missing: ${missing.map((name) => `${name} (Debian package ${packageOf(name)})`).join(', ')}`;
  if (env.CI === 'true') throw new Error(reason);
  context.skip(reason);
  return false;
}

/** Whether this is root, without whom the kernel is not asked; where not, as `hasPrograms`. */
export function needsRoot(context: TestContext): boolean {
  if (getuid?.() === 0) return true;
  const reason = 'needs root';
  if (env.CI === 'true') throw new Error(reason);
  context.skip(reason);
  return false;
}

/** nginx's stream module is a package of its own. */
export const nginxStreamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

const policyFile = '/usr/sbin/policy-rc.d';

function prefix(): string[] | undefined {
  if (getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined;
}

/** Installs what is missing, where this is Debian and we may. Says so in one line where it cannot. */
export function installMissingPrograms(): void {
  const names = Object.keys(programs) as Program[];
  const missing = new Set<string>(names.filter((name) => findProgram(name) === undefined).map(packageOf));
  if (!existsSync(nginxStreamModule)) missing.add('libnginx-mod-stream');
  if (missing.size === 0) return;
  const packages = [...missing].sort();
  const before = prefix();
  if (before === undefined || !existsSync('/usr/bin/apt-get')) {
    console.log(`end-to-end tests will be skipped; they need the Debian packages ${packages.join(' ')}`);
    return;
  }
  console.log(`installing ${packages.join(' ')} …`);
  withoutServices(before, () => {
    const aptGet = [...before, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-y'];
    runQuietly([...aptGet, 'update']);
    const installed = runQuietly([...aptGet, '--no-install-recommends', 'install', ...packages]);
    if (!installed) console.log(`apt-get could not install ${packages.join(' ')}`);
  });
}

function runQuietly([program = '', ...args]: string[]): boolean {
  return spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 }).status === 0;
}

/** Keeps packages from starting their services meanwhile; a policy that was there is left alone. */
function withoutServices(before: string[], action: () => void): void {
  if (existsSync(policyFile)) {
    action();
    return;
  }
  const [tee = '', ...teeArgs] = [...before, 'tee', policyFile];
  spawnSync(tee, teeArgs, { input: '#!/bin/sh\nexit 101\n' });
  runQuietly([...before, 'chmod', '755', policyFile]);
  try {
    action();
  } finally {
    runQuietly([...before, 'rm', '-f', policyFile]);
  }
}
