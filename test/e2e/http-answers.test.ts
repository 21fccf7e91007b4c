import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Route } from '../../src/config/schema.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import {
  httpRoute,
  type Match,
  requestsOf,
  type Seen,
  startHttpProxy,
  startNodeServer,
  tellSeen,
} from '../support/http-fixture.ts';
import { Workspace } from '../support/workspace.ts';

const curl = programPath;

function route(name: string, match: Match, action: Route['action'], rest: Partial<Route> = {}): Route {
  return { name, match: { ports: 0, address: '127.0.0.1', protocol: 'http', ...match }, action, ...rest };
}

it('one connection is served by routes of every kind, request by request', async (t) => {
  if (!hasPrograms(t, 'curl')) return;
  const workspace = Workspace.of(t, 'answers');
  const backend = await startNodeServer(workspace, (request, response) => {
    response.setHeader('x-powered-by', 'a secret').setHeader('x-kept', 'yes');
    void tellSeen(request, response);
  });
  const edits = {
    request: { set: { 'x-set': 'new' }, add: { 'x-added': ['1', '2'] }, remove: ['x-removed'] },
    response: { set: { 'x-frame-options': 'DENY' }, remove: ['x-powered-by'] },
  };
  const fixture = await startHttpProxy(workspace, [
    httpRoute(
      'api',
      backend,
      { stripPrefix: '/api', headers: edits, hostHeader: 'api.internal' },
      { path: '/api/*' },
    ),
    route(
      'moved',
      { path: '/old/*' },
      { type: 'redirect', to: 'https://{host}/new{path}{query}', status: 301 },
    ),
    route(
      'health',
      { path: '/health' },
      { type: 'respond', status: 200, headers: { 'x-from': 'the proxy' }, body: 'fine' },
    ),
    route(
      'forbidden',
      { path: '/private' },
      { type: 'respond', status: 200, body: 'private' },
      { security: { block: ['127.0.0.0/8'] } },
    ),
    route(
      'busy',
      { path: '/busy' },
      { type: 'respond', status: 200, body: 'busy' },
      { limits: { connectionsPerMinutePerIp: 1 } },
    ),
    route('down', { path: '/down' }, { type: 'forward', target: { host: '127.0.0.1', port: 1 } }),
    httpRoute('writes', backend, {}, { path: '/items', methods: ['POST'] }),
  ]);
  const url = `http://127.0.0.1:${fixture.portOf('api')}`;
  const asking = (...args: string[]): string[] => ['-sS', '-i', '-H', 'Host: a.test', ...args, '--next'];
  const output = await workspace.run(curl('curl'), [
    ...asking(
      '-H',
      'X-Removed: 1',
      '-H',
      'X-Set: old',
      '-H',
      'X-Forwarded-For: 1.2.3.4',
      `${url}/api/users?page=2`,
    ),
    ...asking(`${url}/old/page?x=1`),
    ...asking(`${url}/health`),
    ...asking(`${url}/private`),
    ...asking(`${url}/busy`),
    ...asking(`${url}/busy`),
    ...asking(`${url}/down`),
    ...asking('-d', 'name=x', `${url}/items`),
    ...asking(`${url}/items`),
    ...['-sS', '-i', '-H', 'Host: a.test', `${url}/nowhere`],
  ]);
  const answers = output.split(/(?=HTTP\/1\.1 \d)/);
  assert.equal(answers.length, 10);
  const [api = '', moved = '', health = '', forbidden, , busy, down = '', created = '', , nowhere] = answers;

  const seen = JSON.parse(api.split('\r\n\r\n')[1] ?? '') as Seen;
  assert.equal(seen.url, '/users?page=2');
  const { host, 'x-set': set, 'x-added': added, 'x-removed': removed } = seen.headers;
  assert.deepEqual([host, set, added, removed], ['api.internal', 'new', '1, 2', undefined]);
  assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1', 'strangers are not believed');
  assert.equal(seen.headers['x-forwarded-host'], 'a.test');
  assert.match(api, /x-frame-options: DENY\r\n/i);
  assert.match(api, /x-kept: yes\r\n/i);
  assert.doesNotMatch(api, /a secret/);
  assert.match(moved, /^HTTP\/1\.1 301 [\s\S]*\r\nlocation: https:\/\/a\.test\/new\/old\/page\?x=1\r\n/i);
  assert.match(health, /^HTTP\/1\.1 200 [\s\S]*x-from: the proxy[\s\S]*\r\n\r\nfine$/i);
  assert.match(`${forbidden}`, /^HTTP\/1\.1 403 /);
  assert.match(`${busy}`, /^HTTP\/1\.1 429 /);
  assert.match(down, /^HTTP\/1\.1 502 /);
  assert.doesNotMatch(down, /ECONNREFUSED|127\.0\.0\.1/, 'nothing of the inside is told');
  assert.match(created, /"method":"POST"[\s\S]*"length":6/);
  assert.match(`${nowhere}`, /^HTTP\/1\.1 404 /);

  const requests = await requestsOf(fixture, 10);
  assert.deepEqual(
    requests.map(({ route, status }) => `${route} ${status}`),
    [
      ...['api 200', 'moved 301', 'health 200', 'forbidden 403', 'busy 200', 'busy 429', 'down 502'],
      ...['writes 200', 'null 404', 'null 404'],
    ],
  );
  for (const { connection } of requests) assert.equal(connection, requests[0]?.connection);
  assert.equal(requests[6]?.error, 'connect-refused');
  const ending = await fixture.ending();
  assert.deepEqual([ending.id, ending.termination?.reason], [requests[0]?.connection, 'client-closed']);
});

it('a blocked path ends the connection, and a handler gets one that asks for its name', async (t) => {
  if (!hasPrograms(t, 'curl')) return;
  const workspace = Workspace.of(t, 'answers');
  const fixture = await startHttpProxy(workspace, [
    route('open', {}, { type: 'respond', status: 200, body: 'open' }),
    route('blocked', { path: '/blocked' }, { type: 'block' }),
    {
      name: 'handled.test',
      match: { ports: 0, address: '127.0.0.1', domains: 'handled.test' },
      action: {
        type: 'handler',
        tls: { certificate: 'local' },
        handle: (stream, { serverName, tls }) => {
          stream.once('data', () => {
            const body = `${serverName} ${tls}`;
            stream.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
          });
        },
      },
    },
  ]);
  const url = `http://127.0.0.1:${fixture.portOf('open')}`;
  assert.equal(await workspace.run(curl('curl'), ['-sS', `${url}/x`]), 'open');
  await assert.rejects(workspace.run(curl('curl'), ['-sS', `${url}/blocked`]), /Empty reply|reset/);
  const handled = [
    ...['-sSk', '--connect-to', `::127.0.0.1:${fixture.portOf('handled.test')}`, 'https://handled.test/'],
  ];
  assert.equal(await workspace.run(curl('curl'), handled), 'handled.test true');

  assert.deepEqual(await fixture.reasons(), ['blocked', 'client-closed', 'handler-ended']);
});
