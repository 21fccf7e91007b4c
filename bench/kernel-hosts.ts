/** The hosts between which the kernel's forwarding is measured: a client, a proxy host and a backend. */
import { join } from 'node:path';
import { execPath } from 'node:process';
import { programPath } from '../test/support/debian.ts';
import { Namespaces } from '../test/support/namespaces.ts';
import { type RunningProgram, type Workspace, waitUntil } from '../test/support/workspace.ts';

export const proxyAddress = '10.71.0.1';
const backendAddress = '10.71.1.2';

/** What the backend serves. `steady` and `burst` are the same, so that a flow's port tells its run. */
export const ports = { bulk: 5201, web: 8001, steady: 8002, burst: 8003 } as const;

export type KernelContestant = 'direct' | 'haproxy' | 'nftables';

/** The hosts of one contestant, with whatever forwards between them. */
export interface Hosts {
  readonly name: KernelContestant;
  readonly namespaces: Namespaces;
  /** What clients connect to. */
  readonly address: string;
  /** Null: nothing but the routes of the kernel. */
  readonly proxy: RunningProgram | null;
}

/**
 * Each contestant has hosts of its own, the same for all: tracking of connections, which the kernel does as
 * soon as a rule of a host asks for it, must not slow down those who do without.
 */
export function makeHosts(workspace: Workspace): Namespaces {
  const namespaces = Namespaces.make(workspace);
  namespaces.forward();
  const widest = 'echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range';
  for (const host of [namespaces.client, namespaces.proxy]) namespaces.run(host, 'sh', '-c', widest);
  return namespaces;
}

export async function startHosts(workspace: Workspace, name: KernelContestant): Promise<Hosts> {
  const namespaces = makeHosts(workspace);
  await startBackends(workspace, namespaces, name);
  if (name === 'direct') return { name, namespaces, address: backendAddress, proxy: null };
  const proxy = onHost(workspace, namespaces, namespaces.proxy, proxyCommand(workspace, name));
  const hosts = { name, namespaces, address: proxyAddress, proxy };
  const probe = [programPath('wrk'), '-t1', '-c1', '-d1s', `http://${proxyAddress}:${ports.web}/`] as const;
  await waitUntil(`${name} to forward`, () => {
    if (!proxy.running) throw new Error(`${name} ended:\n${proxy.output}`);
    return /Requests\/sec:\s+[1-9]/.test(namespaces.try(namespaces.client, ...probe).stdout) || undefined;
  });
  return hosts;
}

/** Starts a program on a host. */
export function onHost(
  workspace: Workspace,
  namespaces: Namespaces,
  host: string,
  command: readonly string[],
): RunningProgram {
  const [ip, ...on] = namespaces.on(host);
  return workspace.start(ip, [...on, ...command]);
}

/** Runs a program of the client's host to its end, and returns what it printed. */
export function asClient(
  workspace: Workspace,
  namespaces: Namespaces,
  command: readonly string[],
): Promise<string> {
  const [ip, ...on] = namespaces.on(namespaces.client);
  return workspace.run(ip, [...on, ...command]);
}

/** iperf3, and nginx that answers a few bytes and closes. */
export async function startBackends(
  workspace: Workspace,
  namespaces: Namespaces,
  name: string,
): Promise<void> {
  const [host] = namespaces.backends;
  const folder = workspace.path(name);
  const file = workspace.write(`${name}/nginx.conf`, nginxConfiguration(folder));
  onHost(workspace, namespaces, host, [programPath('nginx'), '-p', folder, '-c', file]);
  const iperf = [programPath('iperf3'), '-s', '-p', `${ports.bulk}`, '--forceflush'];
  await onHost(workspace, namespaces, host, iperf).says(/listening/);
}

/** A route of the kernel for everything that the backend serves. */
export function kernelRoutes() {
  return Object.entries(ports).map(([name, port]) => ({
    name,
    match: { ports: port },
    action: { type: 'forward' as const, engine: 'nftables' as const, target: { host: backendAddress, port } },
  }));
}

function proxyCommand(workspace: Workspace, name: 'haproxy' | 'nftables'): string[] {
  if (name === 'haproxy') {
    const file = workspace.write('haproxy-between.cfg', haproxyConfiguration());
    return [programPath('haproxy'), '-db', '-f', file];
  }
  const options = { routes: kernelRoutes(), admin: false, log: { level: 'error', connections: false } };
  const file = workspace.write('nftables.json', JSON.stringify(options));
  return [execPath, join(import.meta.dirname, '..', 'bin', 'smartproxy.js'), 'run', '--config', file];
}

function haproxyConfiguration(): string {
  const listeners = Object.entries(ports).map(
    ([name, port]) =>
      `listen ${name}\n  bind ${proxyAddress}:${port}\n  server target ${backendAddress}:${port}\n`,
  );
  return `global
  nbthread 2
  maxconn 8500
  maxpipes 500
defaults
  mode tcp
  option splice-auto
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${listeners.join('')}`;
}

function nginxConfiguration(folder: string): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const listens = [ports.web, ports.steady, ports.burst].map(
    (port) => `    listen ${backendAddress}:${port} backlog=4096;`,
  );
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log crit;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_timeout 0;
  ${folders.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  server {
${listens.join('\n')}
    location / { return 200 "ok\\n"; }
  }
}
`;
}
