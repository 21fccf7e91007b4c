import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { it } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import type { Route } from '../../src/config/schema.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { requestsOf, siteRoute, startHttpProxy, startNodeServer, tellSeen } from '../support/http-fixture.ts';
import { Workspace } from '../support/workspace.ts';

type Handle = Extract<Route['action'], { type: 'handler' }>['handle'];

const curl = programPath('curl');

/** A program's own server, which also knows WebSockets. */
function ownServer(): http.Server {
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('latin1')) body += chunk;
    response.setHeader('x-own', 'yes');
    response.end(`own ${request.method} ${request.url} ${body}`);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`own ${data}`)));
  return server;
}

function handled(name: string, match: Partial<Route['match']>, handle: Handle): Route {
  return { name, match: { ports: 0, address: '127.0.0.1', ...match }, action: { type: 'handler', handle } };
}

it('a path of a site is served by a function, whatever the client speaks', async (t) => {
  if (!hasPrograms(t, 'curl')) return;
  const workspace = Workspace.of(t, 'handlers');
  const backend = await startNodeServer(workspace, tellSeen);
  const server = ownServer();
  const contexts: unknown[] = [];
  const fixture = await startHttpProxy(workspace, [
    siteRoute('a.test', backend),
    handled('own', { domains: 'a.test', path: '/own/*' }, (stream, context) => {
      const { route, serverName, alpn, tls, request } = context;
      contexts.push([route, serverName, alpn, tls, request?.method, request?.host, request?.path]);
      server.emit('connection', stream);
    }),
    handled('writes', { domains: 'a.test', path: '/writes', methods: ['PUT'] }, (stream) => {
      stream.end('HTTP/1.1 200 OK\r\n\r\nwritten by hand');
    }),
  ]);
  const port = fixture.portOf('a.test');
  const ask = (version: string, ...args: string[]): Promise<string> =>
    workspace.run(curl, [
      ...['-sSk', version, '--connect-to', `::127.0.0.1:${port}`, '-w', ' %{http_version}\n', ...args],
    ]);
  for (const [option, version, alpn] of [
    ['--http1.1', '1.1', 'http/1.1'],
    ['--http2', '2', 'h2'],
  ] as const) {
    const output = await ask(
      option,
      ...['https://a.test/own/x?y=1', 'https://a.test/own/z', '-d', 'body'],
      ...['--next', '-sSk', option, '--connect-to', `::127.0.0.1:${port}`, '-w', ' %{num_connects}\n'],
      ...['https://a.test/elsewhere'],
    );
    const [first, second, third = ''] = output.trimEnd().split('\n');
    assert.equal(first, `own POST /own/x?y=1 body ${version}`);
    assert.equal(second, `own POST /own/z body ${version}`);
    assert.match(third, /"url":"\/elsewhere".* 0$/, 'the backend is reached over the same connection');
    assert.deepEqual(contexts.splice(0), [
      ['own', 'a.test', alpn, true, 'POST', 'a.test', '/own/x'],
      ['own', 'a.test', alpn, true, 'POST', 'a.test', '/own/z'],
    ]);
    assert.match(await ask(option, '-X', 'PUT', 'https://a.test/writes'), /^written by hand/);
  }
  const entries = await requestsOf(fixture, 8);
  assert.deepEqual(
    entries.map(({ route, status, target, error }) => [route, status, target === null, error]),
    ['own', 'own', 'a.test', 'writes', 'own', 'own', 'a.test', 'writes'].map((route) => [
      ...[route, 200, route !== 'a.test', null],
    ]),
  );
});

it('a WebSocket of the program’s own has a path of a site', async (t) => {
  const workspace = Workspace.of(t, 'handlers');
  const backend = await startNodeServer(workspace, tellSeen);
  const server = ownServer();
  const fixture = await startHttpProxy(workspace, [
    siteRoute('a.test', backend),
    handled('live', { domains: 'a.test', path: '/live' }, (stream) => void server.emit('connection', stream)),
  ]);
  const socket = new WebSocket(`wss://127.0.0.1:${fixture.portOf('a.test')}/live`, {
    ...{ servername: 'a.test', headers: { Host: 'a.test' }, rejectUnauthorized: false },
  });
  await once(socket, 'open');
  socket.send('hello');
  const [answer] = await once(socket, 'message');
  assert.equal(String(answer), 'own hello');
  socket.close(4001, 'enough');
  const [code, reason] = await once(socket, 'close');
  assert.deepEqual([code, String(reason)], [4001, 'enough']);
  const [entry] = await requestsOf(fixture, 1);
  assert.deepEqual([entry?.route, entry?.status, entry?.error], ['live', 101, null]);
});

it('a clear-text site has handlers too, beside limits and lists', async (t) => {
  if (!hasPrograms(t, 'curl')) return;
  const workspace = Workspace.of(t, 'handlers');
  let calls = 0;
  const count: Handle = (stream) => {
    calls++;
    stream.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  };
  const fixture = await startHttpProxy(workspace, [
    handled('open', { protocol: 'http', path: '/open' }, count),
    {
      ...handled('private', { protocol: 'http', path: '/private' }, count),
      security: { block: ['127.0.0.0/8'] },
    },
    handled('failing', { protocol: 'http', path: '/failing' }, () => Promise.reject(new Error('secret'))),
  ]);
  const url = `http://127.0.0.1:${fixture.portOf('open')}`;
  const statuses = await workspace.run(curl, [
    ...['-sS', '-w', '%{http_code} %{num_connects}\n', '-o', '/dev/null', `${url}/open`],
    ...[
      '-o',
      '/dev/null',
      `${url}/private`,
      '-o',
      '/dev/null',
      `${url}/failing`,
      '-o',
      '/dev/null',
      `${url}/open`,
    ],
  ]);
  assert.equal(statuses, '200 1\n403 0\n500 0\n200 1\n');
  assert.equal(calls, 2);
  assert.deepEqual((await fixture.reasons()).sort(), ['client-closed', 'handler-failed']);
});
