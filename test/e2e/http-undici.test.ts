import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Pool } from 'undici';
import {
  httpRoute,
  requestsOf,
  type Seen,
  siteRoute,
  startHttpProxy,
  startNodeServer,
  tellSeen,
} from '../support/http-fixture.ts';
import { Workspace, waitUntil } from '../support/workspace.ts';

for (const scheme of ['http', 'https']) {
  it(`undici sends hundreds of requests over a few connections (${scheme})`, async (t) => {
    const workspace = Workspace.of(t, 'undici');
    const backend = await startNodeServer(workspace, tellSeen);
    const route = scheme === 'http' ? httpRoute('a.test', backend) : siteRoute('a.test', backend);
    const fixture = await startHttpProxy(workspace, [route]);
    const client = new Pool(`${scheme}://127.0.0.1:${fixture.portOf('a.test')}`, {
      connections: 4,
      connect: { servername: 'a.test', rejectUnauthorized: false },
    });
    workspace.onEnd(() => client.destroy());
    const send = async (index: number): Promise<void> => {
      const body = 'x'.repeat(index * 97);
      const method = index % 3 === 0 ? 'POST' : 'GET';
      const { statusCode, body: answer } = await client.request({
        ...{ path: `/${index}?q=${index}`, method, headers: { host: 'a.test' } },
        ...(method === 'POST' && { body }),
      });
      const seen = (await answer.json()) as Seen;
      assert.deepEqual(
        [statusCode, seen.method, seen.url, seen.length, seen.headers.host],
        [200, method, `/${index}?q=${index}`, method === 'POST' ? body.length : 0, 'a.test'],
      );
    };
    await Promise.all(Array.from({ length: 400 }, (_, index) => send(index)));
    await client.close();

    await requestsOf(fixture, 400);
    assert.deepEqual(await fixture.reasons(), Array(4).fill('client-closed'));
    const { requests, pools, tlsTerminatedConnections } = fixture.proxy.getStatistics().networkProxy;
    assert.deepEqual([requests, tlsTerminatedConnections], [400, scheme === 'https' ? 4 : 0]);
    assert.ok(pools.length <= 1);
  });
}

// H7
it('the backend learns that undici gave a download up', async (t) => {
  const workspace = Workspace.of(t, 'undici');
  let answering: ServerResponse | undefined;
  const backend = await startNodeServer(workspace, (_request, response) => {
    answering = response;
    response.writeHead(200, { 'content-length': '1000000000' });
    response.write('the beginning');
  });
  const fixture = await startHttpProxy(workspace, [httpRoute('site', backend)]);
  const client = new Pool(`http://127.0.0.1:${fixture.portOf('site')}`, { connections: 1 });
  workspace.onEnd(() => client.destroy());
  const { body } = await client.request({ path: '/', method: 'GET' });
  await once(body, 'data');
  body.on('error', () => undefined).destroy();
  await waitUntil('the backend to learn of it', () => answering?.destroyed || undefined);

  const [request] = await requestsOf(fixture, 1);
  assert.notEqual(request?.error, null);
  await client.close();
  await fixture.nothingLeft();
});

// H7
it('a body that the backend cut off is not made to look whole', async (t) => {
  const workspace = Workspace.of(t, 'undici');
  for (const framing of ['length', 'chunked']) {
    const backend = await startNodeServer(workspace, async (_request, response) => {
      response.writeHead(200, framing === 'length' ? { 'content-length': '1000' } : {});
      response.write('the beginning');
      await turn();
      response.socket?.destroy();
    });
    const fixture = await startHttpProxy(workspace, [httpRoute('site', backend)]);
    const client = new Pool(`http://127.0.0.1:${fixture.portOf('site')}`, { connections: 1 });
    workspace.onEnd(() => client.destroy());
    const { statusCode, body } = await client.request({ path: '/', method: 'GET' });
    assert.equal(statusCode, 200);
    await assert.rejects(body.text());

    const [request] = await requestsOf(fixture, 1);
    assert.match(`${request?.error}`, /target/);
    await fixture.nothingLeft();
  }
});

// H6
it('ten pipelined requests are answered in their order', async (t) => {
  const workspace = Workspace.of(t, 'pipeline');
  const backend = await startNodeServer(workspace, (request, response) => {
    // The later ones are ready first.
    const wait = 10 - Number(request.url?.slice(1));
    const answer = (turns: number): void =>
      void (turns > 0 ? setImmediate(answer, turns - 1) : response.end(`<${request.url}>`));
    answer(wait);
  });
  const fixture = await startHttpProxy(workspace, [httpRoute('site', backend)]);
  const socket = connect({ port: fixture.portOf('site'), host: '127.0.0.1', allowHalfOpen: true });
  const request = (index: number) => `GET /${index} HTTP/1.1\r\nHost: site\r\n\r\n`;
  socket.end(Array.from({ length: 10 }, (_, index) => request(index)).join(''));
  const answers = (await text(socket)).match(/<\/\d>/g);
  assert.deepEqual(answers, ['</0>', '</1>', '</2>', '</3>', '</4>', '</5>', '</6>', '</7>', '</8>', '</9>']);

  assert.equal((await fixture.ending()).termination?.reason, 'client-closed');
  assert.deepEqual(
    (await requestsOf(fixture, 10)).map(({ path, status }) => `${path} ${status}`).join(),
    Array.from({ length: 10 }, (_, index) => `/${index} 200`).join(),
  );
});
