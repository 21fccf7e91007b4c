import assert from 'node:assert/strict';
import http from 'node:http';
import type net from 'node:net';
import { after, test } from 'node:test';
import { forward, routeTo, Stage, target } from '../stage.ts';

async function listen(server: http.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.closeAllConnections());
  after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

test('a request reaches the backend, and its answer the client', async () => {
  const port = await listen(
    http.createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () =>
        response.end(`${request.method} ${request.url} ${request.headers.host} ${body}`),
      );
    }),
  );
  const stage = await Stage.open({ route: routeTo(forward([target(port)])) });
  const response = await fetch(`http://127.0.0.1:${stage.port}/a?b=c`, {
    method: 'POST',
    body: 'hello',
    headers: { connection: 'close' },
  });
  assert.equal(await response.text(), `POST /a?b=c 127.0.0.1:${stage.port} hello`);
  await stage.close();
});
