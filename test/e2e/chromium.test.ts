import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { selfSigned } from '../support/certificates.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { ProxyFixture, passthroughRoute } from '../support/proxy-fixture.ts';
import { Workspace } from '../support/workspace.ts';

const page = `<!doctype html><title>Page</title><p id="answer">waiting</p>
<script type="module">document.getElementById('answer').textContent = await (await fetch('/answer')).text();</script>`;

function serve(request: Http2ServerRequest, response: Http2ServerResponse): void {
  if (request.url === '/') response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  else if (request.url === '/answer') response.end(`answered over ${request.httpVersion}`);
  else response.writeHead(404).end();
}

// T1, T5
it('Chromium loads a page through passthrough by name', async (t) => {
  if (!hasPrograms(t, 'chromium-headless-shell', 'openssl')) return;
  const workspace = Workspace.of(t, 'chromium');
  const server = createSecureServer(await selfSigned(workspace, 'page.test'), serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => server.close());
  const fixture = await ProxyFixture.start(workspace, [
    passthroughRoute('page.test', (server.address() as AddressInfo).port),
  ]);
  const output = await workspace.run(programPath('chromium-headless-shell'), [
    ...['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
    ...['--ignore-certificate-errors', '--host-resolver-rules=MAP page.test 127.0.0.1'],
    ...[`--user-data-dir=${workspace.path('profile')}`, '--virtual-time-budget=10000', '--dump-dom'],
    `https://page.test:${fixture.portOf('page.test')}/`,
  ]);

  assert.match(output, /answered over 2\.0/);
  await fixture.nothingLeft();
  assert.ok(fixture.endings.length > 0);
  for (const { route, tls } of fixture.endings) {
    assert.deepEqual([route, tls?.serverName], ['page.test', 'page.test']);
    assert.ok(tls?.alpn.includes('h2'));
  }
});
