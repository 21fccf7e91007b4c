/** nginx as an HTTP backend: everything that it writes stays in the workspace. */
import { programPath } from './debian.ts';
import { freePort, type Workspace } from './workspace.ts';

const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/** Starts nginx with these locations, one worker and no keep-alive; returns its port. */
export async function startNginx(workspace: Workspace, locations: string): Promise<number> {
  const port = await freePort();
  const file = workspace.write(
    'nginx.conf',
    `daemon off;
worker_processes 1;
pid ${workspace.path('nginx.pid')};
error_log ${workspace.path('nginx-error.log')} crit;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_timeout 0;
  lingering_close off;
  ${folders.map((name) => `${name}_temp_path ${workspace.path(name)};`).join('\n  ')}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ${locations}
  }
}
`,
  );
  await workspace.startServer(port, programPath('nginx'), ['-p', workspace.folder, '-c', file]);
  return port;
}
