/** The HTTP proxies that are compared, each started in front of the same backend. */
import { join } from 'node:path';
import { execPath, getuid } from 'node:process';
import { programPath } from '../test/support/debian.ts';
import { freePort, type RunningProgram, type Workspace } from '../test/support/workspace.ts';

/** Node packages, each with a program in bench/peers. */
export const nodePeers = ['http-proxy-3', 'httpxy', 'fastify', 'undici'] as const;
/** `direct` is no proxy at all: the backend itself, which speaks neither TLS nor HTTP/2. */
export const httpProxyNames = ['direct', 'nginx', 'haproxy', 'caddy', ...nodePeers, 'smartproxy'] as const;
export type HttpProxyName = (typeof httpProxyNames)[number];
/** What is spoken with clients. Backends are always asked in clear-text HTTP/1.1. */
export type Protocol = 'http' | 'https' | 'http2';

export interface RunningHttpProxy {
  readonly name: HttpProxyName;
  readonly port: number;
  readonly program: RunningProgram;
}

interface Place {
  readonly workspace: Workspace;
  readonly protocol: Protocol;
  readonly port: number;
  readonly target: number;
}

/** Starts a proxy; `cert.pem`, `key.pem` and `both.pem` are in the workspace where TLS is spoken. */
export async function startHttpProxy(
  name: Exclude<HttpProxyName, 'direct'>,
  place: Omit<Place, 'port'>,
): Promise<RunningHttpProxy> {
  const port = await freePort();
  const program = await starters[name]({ ...place, port });
  return { name, port, program };
}

const starters: Record<Exclude<HttpProxyName, 'direct'>, (place: Place) => Promise<RunningProgram>> = {
  nginx: (place) =>
    startWith(place, programPath('nginx'), nginxConfiguration(place), (file) => [
      ...['-p', place.workspace.folder, '-c', file],
    ]),
  haproxy: (place) =>
    startWith(place, programPath('haproxy'), haproxyConfiguration(place), (file) => ['-db', '-f', file]),
  caddy: (place) =>
    startWith(place, 'env', caddyConfiguration(place), (file) => [
      // Where it keeps what it makes itself.
      ...['XDG_CONFIG_HOME', 'XDG_DATA_HOME'].map((name) => `${name}=${place.workspace.folder}`),
      ...[programPath('caddy'), 'run', '--adapter', 'caddyfile', '--config', file],
    ]),
  smartproxy: (place) =>
    startWith(place, execPath, JSON.stringify(smartProxyConfiguration(place)), (file) => [
      ...[join(import.meta.dirname, 'embedded-proxy.ts'), '--config', file],
    ]),
  'http-proxy-3': startNodePeer('http-proxy-3'),
  httpxy: startNodePeer('httpxy'),
  fastify: startNodePeer('fastify'),
  undici: startNodePeer('undici'),
};

function startWith(
  { workspace, port }: Place,
  program: string,
  configuration: string,
  args: (file: string) => string[],
): Promise<RunningProgram> {
  return workspace.startServer(port, program, args(workspace.write(`proxy-${port}`, configuration)));
}

function startNodePeer(name: string) {
  return ({ workspace, protocol, port, target }: Place): Promise<RunningProgram> =>
    workspace.startServer(port, execPath, [
      join(import.meta.dirname, 'peers', `${name}.js`),
      ...[protocol, `${port}`, `${target}`, workspace.folder],
    ]);
}

/** What keeps nginx to its workspace, whether it is a proxy or the backend. */
export function nginxFrame(workspace: Workspace, port: number, workers: number, http: string): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  // Workers of root's nginx would be nobody, who cannot read the workspace.
  return `daemon off;
${getuid?.() === 0 ? 'user root;' : ''}
worker_processes ${workers};
pid ${workspace.path(`nginx-${port}.pid`)};
error_log ${workspace.path(`nginx-${port}.log`)} crit;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_header_timeout 1h;
  client_body_buffer_size 64k;
  ${folders.map((name) => `${name}_temp_path ${workspace.path(name)};`).join('\n  ')}
${http}
}
`;
}

function nginxConfiguration({ workspace, protocol, port, target }: Place): string {
  const tls = `ssl_certificate ${workspace.path('cert.pem')};
    ssl_certificate_key ${workspace.path('key.pem')};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:bench:16m;`;
  const flags = { http: '', https: ' ssl', http2: ' ssl http2' }[protocol];
  return nginxFrame(
    workspace,
    port,
    2,
    `  upstream target { server 127.0.0.1:${target}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 1h; }
  server {
    listen 127.0.0.1:${port}${flags} backlog=4096;
    ${protocol === 'http' ? '' : tls}
    location / {
      proxy_pass http://target;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_max_temp_file_size 0;
    }
  }`,
  );
}

function haproxyConfiguration({ workspace, protocol, port, target }: Place): string {
  const alpn = protocol === 'http2' ? 'h2,http/1.1' : 'http/1.1';
  const tls = protocol === 'http' ? '' : ` ssl crt ${workspace.path('both.pem')} alpn ${alpn}`;
  return `global
  nbthread 2
  maxconn 8500
  tune.ssl.default-dh-param 2048
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
listen site
  bind 127.0.0.1:${port}${tls}
  server target 127.0.0.1:${target}
`;
}

function caddyConfiguration({ workspace, protocol, port, target }: Place): string {
  const scheme = protocol === 'http' ? 'http' : 'https';
  const tls = `tls ${workspace.path('cert.pem')} ${workspace.path('key.pem')}`;
  return `{
  admin off
  auto_https off
  log {
    output discard
  }
  default_sni bench.test
}
${scheme}://:${port} {
  bind 127.0.0.1
  ${protocol === 'http' ? '' : tls}
  reverse_proxy 127.0.0.1:${target} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`;
}

/** No log, no admin API, and no deadline that the others do not have. */
function smartProxyConfiguration({ workspace, protocol, port, target }: Place) {
  const certificate = { certFile: workspace.path('cert.pem'), keyFile: workspace.path('key.pem') };
  const alpn = protocol === 'http2' ? ['h2', 'http/1.1'] : ['http/1.1'];
  const tls = { mode: 'terminate' as const, certificate, alpn };
  return {
    routes: [
      {
        name: 'site',
        match: {
          ports: port,
          address: '127.0.0.1',
          ...(protocol === 'http' && { protocol: 'http' as const }),
        },
        action: {
          type: 'forward' as const,
          target: { host: '127.0.0.1', port: target },
          ...(protocol !== 'http' && { tls }),
        },
      },
    ],
    timeouts: { requestHeadMs: 3_600_000, keepAliveMs: 3_600_000 },
    limits: { maxConnections: 8500 },
    admin: false as const,
    log: { level: 'error' as const, connections: false, requests: false },
  };
}
