import assert from 'node:assert/strict';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { hasPrograms, programPath } from '../support/debian.ts';
import { startNginx } from '../support/nginx.ts';
import { freePort, Workspace, waitUntil } from '../support/workspace.ts';

const root = join(import.meta.dirname, '..', '..');

/** The same route each time, beside one that comes and goes. */
function configuration(port: number, target: number, reload: number): string {
  const route = (name: string, domain?: string) => ({
    name,
    match: { ports: port, address: '127.0.0.1', ...(domain ? { domains: domain } : {}) },
    action: { type: 'forward', target: { host: '127.0.0.1', port: target } },
  });
  const routes = [route('site'), ...(reload % 2 ? [route(`reload-${reload}`, `n${reload}.test`)] : [])];
  return JSON.stringify({ routes, admin: false });
}

// R1
it('five reloads in six seconds under new connections fail none of them', async (t) => {
  if (!hasPrograms(t, 'nginx', 'wrk')) return;
  const workspace = Workspace.of(t, 'reload');
  const target = await startNginx(workspace, 'location / { return 200 "ok"; }');
  const port = await freePort();
  const file = workspace.write('smartproxy.config.json', configuration(port, target, 0));
  const cli = join(root, 'bin', 'smartproxy.js');
  const proxy = await workspace.startServer(port, execPath, [cli, 'run', '--config', file]);
  const args = ['-t1', '-c16', '-d6s', '-H', 'Connection: close', `http://127.0.0.1:${port}/`];
  const load = workspace.run(programPath('wrk'), args);
  for (let reload = 1; reload <= 5; reload++) {
    await delay(1_000);
    workspace.write('smartproxy.config.json', configuration(port, target, reload));
    proxy.process.kill('SIGHUP');
    const reloads = () => proxy.output.match(/"event":"reloaded"/g)?.length ?? 0;
    await waitUntil(`reload ${reload}`, () => reloads() >= reload || undefined);
  }
  const output = await load;

  assert.doesNotMatch(output, /Socket errors|Non-2xx/);
  assert.ok(Number(/(\d+) requests in/.exec(output)?.[1]) > 1_000, output);
  await proxy.stop();
  assert.equal(proxy.process.exitCode, 0, proxy.output.slice(-2_000));
});
