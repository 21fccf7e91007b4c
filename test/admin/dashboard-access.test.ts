import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterEach, test } from 'node:test';
import type { ExplainedReason } from '../../src/admin/reasons.ts';
import { AdminServer } from '../../src/admin/server.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { holdings, holdsNoMoreThan } from '../support/nothing-left.ts';
import { TestControl } from './test-control.ts';

const before = holdings();
const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function start(token: string | null = null): Promise<AdminServer> {
  const server = new AdminServer({
    listen: '127.0.0.1:0',
    token,
    control: new TestControl(),
    log: silentLogger,
  });
  servers.push(server);
  await server.start();
  return server;
}

const json = { 'content-type': 'application/json' };

/** A stream's answer is its head alone. */
async function fetchText(
  server: AdminServer,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; text: string }> {
  const request = http.request({ port: new URL(server.address).port, path, agent: false, ...options });
  request.end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  if (`${response.headers['content-type']}`.startsWith('text/event-stream')) response.destroy();
  let text = '';
  if (!response.destroyed) for await (const chunk of response) text += chunk;
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

test('the dashboard is served without a token, and may do nothing but speak to this server', async () => {
  const server = await start('secret-token');
  const types = { '/': 'text/html', '/dashboard.js': 'text/javascript', '/dashboard.css': 'text/css' };
  for (const [path, type] of Object.entries({
    ...types,
    '/icon.svg': 'image/svg+xml',
    '/?a=b': 'text/html',
  })) {
    const { status, headers, text } = await fetchText(server, path);
    assert.deepEqual([path, status], [path, 200]);
    assert.ok(`${headers['content-type']}`.startsWith(type));
    const policy = `${headers['content-security-policy']}`;
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.doesNotMatch(policy, /unsafe|http|\*/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(headers['set-cookie'], undefined);
    assert.ok(text.length > 100);
  }
  const { text } = await fetchText(server, '/');
  assert.doesNotMatch(
    text,
    /<script(?![^>]*src="\.\/)|<style|style=|https?:/,
    'nothing inline, nothing from elsewhere',
  );
  assert.equal((await fetchText(server, '/', { method: 'POST', headers: json })).status, 401);
  for (const path of ['/api/v1/stream', '/api/v1/reasons', '/dashboard.map', '//', '/%2e%2e/index.html']) {
    assert.equal((await fetchText(server, path)).status, 401, path);
  }
});

test('the stream goes to who may have it, and ends when the server stops', async () => {
  const server = await start('secret-token');
  assert.equal((await fetchText(server, '/api/v1/stream')).status, 401);
  const headers = { authorization: 'Bearer secret-token' };
  assert.equal((await fetchText(server, '/api/v1/stream', { method: 'HEAD', headers })).status, 200);
  const request = http.request({ port: new URL(server.address).port, path: '/api/v1/stream', headers });
  request.end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  assert.match(`${response.headers['content-type']}`, /^text\/event-stream/);
  assert.equal(response.headers['cache-control'], 'no-store');
  let text = '';
  response.on('data', (chunk) => {
    text += chunk;
  });
  await once(response, 'data');
  assert.match(text, /^event: snapshot\ndata: \{"state":"ready"/);
  const ended = once(response, 'end');
  await server.stop();
  await ended;
  assert.match(text, /event: bye\ndata: \{"reason":"stopped"\}\n\n$/);
});

test('the seventeenth viewer is told to come later', async () => {
  const server = await start();
  const responses: http.IncomingMessage[] = [];
  for (let count = 0; count < 17; count++) {
    const request = http.get({ port: new URL(server.address).port, path: '/api/v1/stream', agent: false });
    responses.push(((await once(request, 'response')) as [http.IncomingMessage])[0]);
  }
  assert.deepEqual(
    responses.map(({ statusCode }) => statusCode),
    [...Array.from({ length: 16 }, () => 200), 503],
  );
  for (const response of responses) response.destroy();
});

test('pages of other sites cannot make a browser call, and may only link here', async () => {
  const server = await start();
  const status = async (path: string, site: string, mode: string): Promise<number> => {
    const headers = { 'sec-fetch-site': site, 'sec-fetch-mode': mode };
    return (await fetchText(server, path, { headers })).status;
  };
  for (const site of ['cross-site', 'same-site']) {
    assert.equal(await status('/api/v1/statistics', site, 'no-cors'), 403);
    assert.equal(await status('/api/v1/stream', site, 'no-cors'), 403);
    assert.equal(await status('/api/v1/statistics', site, 'navigate'), 403);
    assert.equal(await status('/dashboard.js', site, 'no-cors'), 403);
    assert.equal(await status('/', site, 'navigate'), 200);
  }
  for (const site of ['same-origin', 'none']) {
    assert.equal(await status('/api/v1/statistics', site, 'cors'), 200);
  }
});

test('what is no HTTP, or too much of it, gets a 400', async () => {
  const server = await start();
  const port = Number(new URL(server.address).port);
  for (const sent of [
    'nonsense\r\n\r\n',
    `GET /api/v1/explain?target=${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `GET /api/v1/explain?target=${'x'.repeat(9_000)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    'GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  ]) {
    const socket = net.connect(port, '127.0.0.1');
    socket.end(sent);
    let text = '';
    for await (const chunk of socket) text += chunk;
    assert.match(text, /^HTTP\/1\.1 400 /, sent.slice(0, 60));
  }
});

test('reasons come with what the documentation says of them', async () => {
  const { text: answer } = await fetchText(await start(), '/api/v1/reasons');
  const { reasons } = JSON.parse(answer) as { reasons: ExplainedReason[] };
  const inactivity = reasons.find(({ reason }) => reason === 'inactivity');
  assert.match(`${inactivity?.text}`, /^No byte in either direction for inactivityMs\./);
  assert.deepEqual([inactivity?.initiator, inactivity?.look], ['proxy', ['inactivityMs']]);
  assert.deepEqual(
    reasons.filter(({ text }) => text === '' || /[`[]/.test(text)).map(({ reason }) => reason),
    [],
  );
});

test('nothing is left', () => holdsNoMoreThan(before));
