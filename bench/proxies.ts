/** The proxies that are compared, each started with the same ports and targets. */
import { dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { nginxStreamModule, programPath } from '../test/support/debian.ts';
import { freePort, type RunningProgram, type Workspace } from '../test/support/workspace.ts';

const root = dirname(import.meta.dirname);

/** `direct` is no proxy at all: the ceiling of the machine. */
export const proxyNames = ['direct', 'pipe', 'nginx', 'haproxy', 'smartproxy'] as const;
export type ProxyName = (typeof proxyNames)[number];

/** A running proxy. `ports[i]` leads to the i-th target. */
export interface RunningProxy {
  readonly name: ProxyName;
  readonly ports: readonly number[];
  readonly program: RunningProgram | null;
}

interface Pair {
  port: number;
  target: number;
}

/** Starts a proxy in front of these ports of this machine. */
export async function startProxy(
  workspace: Workspace,
  name: ProxyName,
  targets: readonly number[],
): Promise<RunningProxy> {
  if (name === 'direct') return { name, ports: targets, program: null };
  const pairs: Pair[] = [];
  for (const target of targets) pairs.push({ port: await freePort(), target });
  const program = await starters[name](workspace, pairs);
  return { name, ports: pairs.map(({ port }) => port), program };
}

const starters: Record<
  Exclude<ProxyName, 'direct'>,
  (workspace: Workspace, pairs: readonly Pair[]) => Promise<RunningProgram>
> = {
  pipe: (workspace, pairs) => startNode(workspace, pairs, 'bench/pipe-proxy.ts', pairArguments(pairs)),
  smartproxy(workspace, pairs) {
    const file = workspace.write(
      `smartproxy-${pairs[0]?.port}.json`,
      JSON.stringify(smartProxyOptions(pairs)),
    );
    return startNode(workspace, pairs, 'bin/smartproxy.js', ['run', '--config', file]);
  },
  haproxy(workspace, pairs) {
    const file = workspace.write(`haproxy-${pairs[0]?.port}.cfg`, haproxyConfiguration(pairs));
    return workspace.startServer(firstPort(pairs), programPath('haproxy'), ['-db', '-f', file]);
  },
  nginx(workspace, pairs) {
    const file = workspace.write(`nginx-${pairs[0]?.port}.conf`, nginxConfiguration(workspace, pairs));
    return workspace.startServer(firstPort(pairs), programPath('nginx'), [
      '-p',
      workspace.folder,
      '-c',
      file,
    ]);
  },
};

function startNode(workspace: Workspace, pairs: readonly Pair[], file: string, args: string[]) {
  return workspace.startServer(firstPort(pairs), execPath, [join(root, file), ...args]);
}

function firstPort(pairs: readonly Pair[]): number {
  return pairs[0]?.port ?? 0;
}

/** `PORT:TARGET`, as the programs of this folder take it. */
export function pairArguments(pairs: readonly Pair[]): string[] {
  return pairs.map(({ port, target }) => `${port}:${target}`);
}

/** A plain TCP route for each pair; no log, no admin API, and no limit that the others do not have. */
export function smartProxyOptions(pairs: readonly Pair[]) {
  return {
    routes: pairs.map(({ port, target }) => ({
      name: `port-${port}`,
      match: { ports: port, address: '127.0.0.1' },
      action: { type: 'forward' as const, target: { host: '127.0.0.1', port: target } },
    })),
    limits: { maxConnections: 8500 },
    admin: false as const,
    log: { level: 'error' as const, connections: false },
  };
}

function haproxyConfiguration(pairs: readonly Pair[]): string {
  const listeners = pairs.map(
    ({ port, target }) =>
      `listen port-${port}\n  bind 127.0.0.1:${port}\n  server target 127.0.0.1:${target}\n`,
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

function nginxConfiguration(workspace: Workspace, pairs: readonly Pair[]): string {
  const servers = pairs.map(
    ({ port, target }) =>
      `  server { listen 127.0.0.1:${port} backlog=4096; proxy_pass 127.0.0.1:${target}; proxy_timeout 1h; tcp_nodelay on; }`,
  );
  return `daemon off;
worker_processes 2;
pid ${workspace.path(`nginx-${pairs[0]?.port}.pid`)};
error_log ${workspace.path('nginx-error.log')} crit;
load_module ${nginxStreamModule};
events { worker_connections 19000; }
stream {
${servers.join('\n')}
}
`;
}
