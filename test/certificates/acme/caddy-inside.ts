/** Caddy as an authority, which comes to ports 443 and 80; and proxies that order from it. Prints what curl got. */

import { existsSync, readFileSync } from 'node:fs';
import { programPath } from '../../support/debian.ts';
import { Workspace, waitUntil } from '../../support/workspace.ts';
import { type Authority, curl, issued, ordering, site, startProxy } from './stage.ts';

const port = 9443;

async function startCaddy(workspace: Workspace): Promise<Authority> {
  const root = workspace.path('caddy', 'pki', 'authorities', 'local', 'root.crt');
  const file = workspace.write(
    'Caddyfile',
    `{
  admin off
  auto_https disable_redirects
  https_port ${port}
  skip_install_trust
  storage file_system ${workspace.path('caddy')}
}
https://ca.example:${port} {
  tls internal
  acme_server
}
`,
  );
  await workspace.startServer(port, programPath('caddy'), [
    'run',
    '--config',
    file,
    '--adapter',
    'caddyfile',
  ]);
  await waitUntil('Caddy to have a root', () => existsSync(root) || undefined);
  return {
    directory: `https://ca.example:${port}/acme/local/directory`,
    rootFile: root,
    httpPort: 80,
    issuingRoot: async () => readFileSync(root, 'utf8'),
  };
}

async function run(workspace: Workspace): Promise<void> {
  const caddy = await startCaddy(workspace);
  const answers: Record<string, string> = {};
  // Nothing says how to prove it: the route is where TLS-ALPN-01 is asked.
  const first = await startProxy(workspace, [site('a.example', 443)], ordering(caddy));
  await issued(first, ['a.example']);
  answers['tls-alpn-01'] = await curl(workspace, caddy, 443, 'a.example');
  answers.opened = String(first.log.events().includes('challenge-port-opened'));
  const second = await startProxy(workspace, [site('b.example', 8443)], ordering(caddy), {
    stateDirectory: workspace.path('other'),
  });
  await issued(second, ['b.example']);
  answers['http-01'] = await curl(workspace, caddy, 8443, 'b.example');
  console.log(JSON.stringify(answers));
}

const workspace = new Workspace('caddy');
try {
  await run(workspace);
} finally {
  await workspace.end();
}
