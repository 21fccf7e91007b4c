import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';
import { hasPrograms, programPath } from '../support/debian.ts';
import { ProxyFixture, tcpRoute } from '../support/proxy-fixture.ts';
import { freePort, Workspace } from '../support/workspace.ts';

const defaults = `defaults
  timeout connect 5s
  timeout client 30s
  timeout server 30s
`;

async function startHaproxy(workspace: Workspace, port: number, listen: string): Promise<void> {
  const file = workspace.write('haproxy.cfg', `${defaults}${listen}`);
  await workspace.startServer(port, programPath('haproxy'), ['-db', '-f', file]);
}

/** Sends a request from 127.0.0.2 and reads to the end. */
async function exchange(port: number, request: string): Promise<{ localPort: number; answer: string }> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  await once(socket, 'connect');
  const { localPort = 0 } = socket;
  socket.write(request);
  return { localPort, answer: await text(socket) };
}

for (const version of [1, 2] as const) {
  it(`believes a version ${version} header from HAProxy, whose client it then shows`, async (t) => {
    if (!hasPrograms(t, 'haproxy')) return;
    const workspace = Workspace.of(t, 'haproxy');
    const echo = createServer((socket) => {
      // HAProxy aborts the connection of whoever asked whether it listens.
      socket.on('error', () => undefined).once('data', (bytes) => socket.end(bytes));
    }).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    workspace.onEnd(() => echo.close());
    const fixture = await ProxyFixture.start(
      workspace,
      [tcpRoute('echo', (echo.address() as AddressInfo).port)],
      {
        proxyProtocol: { trustedSources: ['127.0.0.1/32'] },
      },
    );
    const port = await freePort();
    const sending = version === 1 ? 'send-proxy' : 'send-proxy-v2';
    const target = `127.0.0.1:${fixture.portOf('echo')}`;
    await startHaproxy(
      workspace,
      port,
      `listen front\n  mode tcp\n  bind 127.0.0.1:${port}\n  server proxy ${target} ${sending}\n`,
    );
    const { localPort, answer } = await exchange(port, 'hello through two proxies');

    assert.equal(answer, 'hello through two proxies');
    const ending = await waitForEnding(fixture, localPort);
    assert.deepEqual(ending.client, { ip: '127.0.0.2', port: localPort });
    assert.deepEqual(ending.bytes, { fromClient: 25, toClient: 25 });
    assert.equal(ending.termination?.reason, 'target-closed');
  });

  it(`sends a version ${version} header that HAProxy understands`, async (t) => {
    if (!hasPrograms(t, 'haproxy')) return;
    const workspace = Workspace.of(t, 'haproxy');
    const port = await freePort();
    await startHaproxy(
      workspace,
      port,
      `frontend site
  mode http
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "client %ci:%cp"
`,
    );
    const fixture = await ProxyFixture.start(workspace, [
      {
        name: 'site',
        match: { ports: 0, address: '127.0.0.1' },
        action: { type: 'forward', target: { host: '127.0.0.1', port }, sendProxyProtocol: version },
      },
    ]);
    const request = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n';
    const { localPort, answer } = await exchange(fixture.portOf('site'), request);

    assert.match(answer, new RegExp(`client 127\\.0\\.0\\.2:${localPort}$`));
    const ending = await fixture.ending();
    assert.deepEqual(ending.bytes, { fromClient: request.length, toClient: answer.length });
    assert.equal(ending.termination?.reason, 'target-closed');
  });
}

/** HAProxy was probed while it started: its connection is not the only one. */
async function waitForEnding(fixture: ProxyFixture, clientPort: number) {
  await fixture.nothingLeft();
  const ending = fixture.endings.find(({ client }) => client.port === clientPort);
  assert.ok(ending, 'the connection with the header has ended');
  return ending;
}
