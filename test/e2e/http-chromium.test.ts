import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { WebSocketServer } from 'ws';
import { answerOfPage } from '../support/chromium.ts';
import { RunningProxy } from '../support/command-line.ts';
import { hasPrograms } from '../support/debian.ts';
import { httpRoute, requestsOf, siteRoute, startHttpProxy } from '../support/http-fixture.ts';
import { Workspace } from '../support/workspace.ts';

const resources = 60;

/** Loads scripts, data, a stream and a WebSocket, and writes what came of it into the page. */
const page = `<!doctype html><title>Page</title><p id="answer">waiting</p>
${Array.from({ length: resources }, (_, index) => `<script defer src="/script/${index}.js"></script>`).join('\n')}
<script type="module">
const data = await Promise.all(Array.from({ length: ${resources} }, async (_, index) =>
  (await fetch('/data/' + index, { method: 'POST', body: 'x'.repeat(index * 1000) })).json()));
const posted = data.reduce((sum, { length }) => sum + length, 0);
let echo;
const echoed = await new Promise((resolve) => {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo');
  socket.onopen = () => socket.send('over the tunnel');
  socket.onmessage = ({ data }) => { socket.close(4000); echo = data; };
  socket.onclose = ({ code }) => resolve(echo + ' ' + code);
  socket.onerror = () => resolve('failed');
});
document.getElementById('answer').textContent = [window.count, posted, echoed].join(' | ');
</script>`;

const posted = (1000 * resources * (resources - 1)) / 2;

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let length = 0;
  for await (const chunk of request) length += chunk.length;
  const { url = '' } = request;
  if (url === '/') response.setHeader('content-type', 'text/html').end(page);
  else if (url.startsWith('/script/')) {
    const code = `window.count = (window.count ?? 0) + 1; //${'x'.repeat(20_000)}`;
    response.setHeader('content-type', 'text/javascript').end(code);
  } else if (url.startsWith('/data/')) response.end(JSON.stringify({ length }));
  else response.writeHead(404).end();
}

async function startSite(workspace: Workspace): Promise<number> {
  const server = createServer((request, response) => void serve(request, response));
  const sockets = new WebSocketServer({ server, path: '/echo' });
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data.toString()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

for (const [scheme, version] of [
  ['http', '1.1'],
  ['https', '2'],
] as const) {
  // W4
  it(`Chromium loads a page of many resources and speaks WebSocket (${scheme})`, async (t) => {
    if (!hasPrograms(t, 'chromium-headless-shell')) return;
    const workspace = Workspace.of(t, 'chromium');
    const backend = await startSite(workspace);
    const route = scheme === 'http' ? httpRoute('page.test', backend) : siteRoute('page.test', backend);
    const fixture = await startHttpProxy(workspace, [route]);
    const url = `${scheme}://page.test:${fixture.portOf('page.test')}/`;
    const answer = await answerOfPage(workspace, url);

    assert.equal(answer, `${resources} | ${posted} | over the tunnel 4000`);
    await fixture.nothingLeft();
    const requests = await requestsOf(fixture, 2 * resources + 2);
    for (const { status, error, version: spoken, path } of requests) {
      const isSocket = path === '/echo';
      assert.equal(error, null, path);
      if (isSocket) assert.match(`${status}`, /^(101|200)$/);
      else assert.deepEqual([status, spoken], [200, version], path);
    }
    for (const reason of await fixture.reasons()) assert.match(`${reason}`, /^(client|target)-closed$/);
  });
}

it('the page of the demo works in Chromium, WebSocket included', async (t) => {
  if (!hasPrograms(t, 'chromium-headless-shell')) return;
  const workspace = Workspace.of(t, 'demo-page');
  const demo = new RunningProxy(workspace, ['demo']);
  const pages = (await demo.logs('demo')).pages as string[];
  const page = pages.find((address) => address.startsWith('https://app.localhost'));
  assert.equal(await answerOfPage(workspace, page ?? ''), 'The echo says: hello');
  const ended = await demo.logs('connection-closed');
  assert.equal(ended.route, 'app.localhost');
  demo.signal('SIGTERM');
  assert.equal(await demo.program.exited(), 0);
});
