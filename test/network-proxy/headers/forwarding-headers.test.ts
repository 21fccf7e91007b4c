import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeaderEdits, ResolvedHttp } from '../../../src/config/resolved.ts';
import { stripPrefix } from '../../../src/network-proxy/headers/strip-prefix.ts';
import { RawBackend, RawPeer } from '../raw-peer.ts';
import { forward, noEdits, routeTo, Stage, target } from '../stage.ts';

interface Case {
  /** Field lines of the request, without Host. */
  fields?: string[];
  http?: Partial<ResolvedHttp>;
  trusted?: string[];
  answer?: string[];
  path?: string;
}

/** Field lines that the backend got, and those that the client got. */
async function cross({ fields = [], http = {}, trusted = [], answer = [], path = '/' }: Case) {
  const backend = await RawBackend.answering(() =>
    ['HTTP/1.1 200 OK', 'Content-Length: 0', ...answer, '', ''].join('\r\n'),
  );
  const stage = await Stage.open({ route: routeTo(forward([target(backend.port)], http)), trusted });
  const client = RawPeer.connect(stage.port);
  client.send([`GET ${path} HTTP/1.1`, 'Host: a.test:81', ...fields, '', ''].join('\r\n'));
  await client.reads('\r\n\r\n');
  const lines = (text: string): string[] => text.trimEnd().split('\r\n');
  const seen = { request: lines(backend.peers[0]!.text), response: lines(client.text), port: backend.port };
  client.socket.destroy();
  await backend.close();
  await stage.close();
  return seen;
}

const ours = [
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Host: a.test:81',
  'Via: 1.1 smartproxy',
];

// H11
test('a backend is told who asks, how and for what', async () => {
  const { request } = await cross({});
  assert.deepEqual(request, ['GET / HTTP/1.1', 'Host: a.test:81', ...ours]);
});

// H11
test('what a stranger says of clients is replaced, in every spelling', async () => {
  const { request } = await cross({
    fields: [
      'X-Forwarded-For: 10.0.0.1',
      'x-forwarded-proto: https',
      'X-FORWARDED-HOST: evil.test',
      'X-Forwarded-Port: 443',
      'X_Forwarded_For: 10.0.0.2',
      'X-Real-IP: 10.0.0.3',
      'Forwarded: for=10.0.0.4',
      'Accept: */*',
    ],
  });
  assert.deepEqual(request, [
    'GET / HTTP/1.1',
    'Host: a.test:81',
    'Accept: */*',
    ...ours.slice(0, 3),
    'Forwarded: for=127.0.0.1;host="a.test:81";proto=http',
    'Via: 1.1 smartproxy',
  ]);
});

// H11
test('what a trusted proxy says is kept, and it is added itself', async () => {
  const { request } = await cross({
    trusted: ['127.0.0.0/8'],
    fields: [
      'X-Forwarded-For: 192.0.2.1',
      'X-Forwarded-For: 192.0.2.2',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: b.test',
      'X-Forwarded-Port: 443',
      'Forwarded: for=192.0.2.1',
      'Via: 1.0 inner',
    ],
  });
  assert.deepEqual(request, [
    'GET / HTTP/1.1',
    'Host: a.test:81',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: b.test',
    'X-Forwarded-Port: 443',
    'Via: 1.0 inner',
    'X-Forwarded-For: 192.0.2.1, 192.0.2.2, 127.0.0.1',
    'Forwarded: for=192.0.2.1, for=127.0.0.1;host="a.test:81";proto=http',
    'Via: 1.1 smartproxy',
  ]);
});

// H4
test('fields of one connection never cross, in either direction', async () => {
  const { request, response } = await cross({
    fields: [
      'Connection: X-Mine, keep-alive',
      'X-Mine: 1',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Proxy-Connection: x',
    ],
    answer: ['Connection: X-Yours', 'X-Yours: 1', 'Keep-Alive: timeout=5', 'X-Stays: 1'],
  });
  assert.deepEqual(request, ['GET / HTTP/1.1', 'Host: a.test:81', ...ours]);
  assert.deepEqual(response, ['HTTP/1.1 200 OK', 'Content-Length: 0', 'X-Stays: 1']);
});

// H4
test('Connection cannot take away what we add', async () => {
  const { request } = await cross({ fields: ['Connection: X-Forwarded-For, Via'] });
  assert.deepEqual(request.slice(2), ours);
});

test('a route’s edits are done in order: remove, set, add', async () => {
  const edits = (changes: Partial<HeaderEdits>): HeaderEdits => ({ ...noEdits, ...changes });
  const { request, response } = await cross({
    fields: ['X-Old: 1', 'X-Set: theirs', 'X-Set: twice', 'X-Add: theirs'],
    answer: ['Server: secret', 'Set-Cookie: a=1'],
    http: {
      headers: {
        request: edits({
          remove: ['x-old', 'via'],
          set: [
            { name: 'x-set', values: ['ours'] },
            { name: 'x-forwarded-proto', values: ['https'] },
          ],
          add: [{ name: 'x-add', values: ['1', '2'] }],
        }),
        response: edits({ remove: ['server'], add: [{ name: 'set-cookie', values: ['b=2'] }] }),
      },
    },
  });
  assert.deepEqual(request.slice(2), [
    'X-Add: theirs',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Host: a.test:81',
    'x-set: ours',
    'x-forwarded-proto: https',
    'x-add: 1',
    'x-add: 2',
  ]);
  assert.deepEqual(response, ['HTTP/1.1 200 OK', 'Content-Length: 0', 'Set-Cookie: a=1', 'set-cookie: b=2']);
});

test('Host is preserved, the target’s, or a literal', async () => {
  const target = await cross({ http: { hostHeader: 'target' } });
  assert.equal(target.request[1], `Host: 127.0.0.1:${target.port}`);
  const literal = await cross({ http: { hostHeader: { literal: 'inner.test' } } });
  assert.equal(literal.request[1], 'Host: inner.test');
  assert.ok(literal.request.includes('X-Forwarded-Host: a.test:81'));
});

test('stripPrefix cuts the path where a segment ends, and leaves the query', async () => {
  const { request } = await cross({ http: { stripPrefix: '/api' }, path: '/api/x%2Fy?z=/api' });
  assert.equal(request[0], 'GET /x%2Fy?z=/api HTTP/1.1');
  assert.equal(stripPrefix('/api', '/api'), '/');
  assert.equal(stripPrefix('/api?q', '/api'), '/?q');
  assert.equal(stripPrefix('/apix', '/api'), null);
});

test('an absolute target becomes a path', async () => {
  const { request } = await cross({ path: 'http://a.test:81/x?y' });
  assert.deepEqual(request.slice(0, 2), ['GET /x?y HTTP/1.1', 'Host: a.test:81']);
});
