import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { httpRoute, requestsOf, siteRoute, startHttpProxy } from '../support/http-fixture.ts';
import type { ProxyFixture } from '../support/proxy-fixture.ts';
import { Workspace } from '../support/workspace.ts';

/** A server of the package ws that sends back each message, and tells how connections were closed. */
async function startEcho(workspace: Workspace): Promise<{ port: number; closes: [number, string][] }> {
  const closes: [number, string][] = [];
  const http = createServer((_request, response) => response.writeHead(404).end('no page here'));
  const server = new WebSocketServer({ server: http });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => {
      if (data.toString() === 'close me') socket.close(4001, 'as you wish');
      else socket.send(data, { binary: isBinary });
    });
    socket.on('close', (code, reason) => closes.push([code, reason.toString()]));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  workspace.onEnd(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
    http.close();
    http.closeAllConnections();
  });
  return { port: (http.address() as AddressInfo).port, closes };
}

/** Opens a WebSocket through a route; over TLS where its name is one. */
async function open(fixture: ProxyFixture, route: string): Promise<WebSocket> {
  const secure = route.includes('.');
  const port = fixture.portOf(route);
  const socket = new WebSocket(`${secure ? 'wss' : 'ws'}://127.0.0.1:${port}/chat`, {
    headers: { host: route },
    ...(secure && { servername: route, rejectUnauthorized: false }),
  });
  await once(socket, 'open');
  return socket;
}

for (const route of ['clear', 'site.test']) {
  // W1, W3
  it(`ws exchanges messages and closes from either side (${route})`, async (t) => {
    const workspace = Workspace.of(t, 'websocket');
    const echo = await startEcho(workspace);
    const fixture = await startHttpProxy(workspace, [
      route === 'clear' ? httpRoute('clear', echo.port) : siteRoute('site.test', echo.port),
    ]);

    const ours = await open(fixture, route);
    const large = Buffer.alloc(3_000_000, 'frames are not for the proxy to read ');
    for (const message of ['short', large]) {
      ours.send(message);
      const [data, isBinary] = (await once(ours, 'message')) as [Buffer, boolean];
      assert.equal(isBinary, message === large);
      assert.ok(data.equals(Buffer.from(message)));
    }
    ours.ping('are you there');
    const [pong] = (await once(ours, 'pong')) as [Buffer];
    assert.equal(pong.toString(), 'are you there');
    ours.close(4000, 'enough');
    assert.deepEqual(await closed(ours), [4000, 'enough']);

    const theirs = await open(fixture, route);
    theirs.send('close me');
    assert.deepEqual(await closed(theirs), [4001, 'as you wish']);

    const requests = await requestsOf(fixture, 2);
    for (const { status, error, path, bytes } of requests) {
      assert.deepEqual([status, error, path], [101, null, '/chat']);
      assert.ok(bytes.fromClient > 0 && bytes.toClient > 0);
    }
    assert.ok(requests[0]!.bytes.toClient > large.length, 'what crossed the tunnel is counted');
    assert.deepEqual(echo.closes, [
      [4000, 'enough'],
      [4001, 'as you wish'],
    ]);
    for (const reason of await fixture.reasons()) assert.match(`${reason}`, /^(target|client)-closed$/);
  });
}

// W2
it('an upgrade that is refused is an answer like any other, as often as one likes', async (t) => {
  const workspace = Workspace.of(t, 'websocket');
  const http = createServer((_request, response) => response.writeHead(200).end('only pages'));
  const server = new WebSocketServer({ server: http, verifyClient: () => false });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  workspace.onEnd(() => {
    server.close();
    http.close();
    http.closeAllConnections();
  });
  const fixture = await startHttpProxy(workspace, [httpRoute('clear', (http.address() as AddressInfo).port)]);
  for (let count = 0; count < 20; count++) {
    const socket = new WebSocket(`ws://127.0.0.1:${fixture.portOf('clear')}/`);
    const [error] = (await once(socket, 'error')) as [Error];
    assert.match(error.message, /401/);
  }
  const requests = await requestsOf(fixture, 20);
  for (const { status } of requests) assert.equal(status, 401);
  await fixture.nothingLeft();
});

// H7, W3
it('a client that is cut off takes its backend with it, and a backend its client', async (t) => {
  const workspace = Workspace.of(t, 'websocket');
  const echo = await startEcho(workspace);
  const fixture = await startHttpProxy(workspace, [httpRoute('clear', echo.port)]);
  const socket = await open(fixture, 'clear');
  socket.terminate();
  await closed(socket);
  await fixture.nothingLeft();
  assert.deepEqual(echo.closes, [[1006, '']]);
  const [request] = await requestsOf(fixture, 1);
  assert.equal(request?.status, 101);
});

async function closed(socket: WebSocket): Promise<[number, string]> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return [code, reason.toString()];
}
