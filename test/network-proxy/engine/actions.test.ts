import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResolvedAction } from '../../../src/config/resolved.ts';
import { eventually } from '../../support/eventually.ts';
import { RawBackend, RawPeer } from '../raw-peer.ts';
import { type CoreOptions, forward, routeTo, Stage, target } from '../stage.ts';

const get = 'GET /a/b?c=d HTTP/1.1\r\nHost: A.test:81\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function ask(action: ResolvedAction, request = get, options: Partial<CoreOptions> = {}) {
  const stage = await Stage.open({ route: routeTo(action), ...options });
  const client = RawPeer.connect(stage.port);
  client.send(request);
  await eventually(
    'something comes back',
    () => client.closed || client.ended || /\r\n\r\n/.test(client.text),
  );
  const { text, error, ended } = client;
  client.socket.destroy();
  await stage.close();
  return { text, error, ended, entry: stage.core.entries[0]!, stage };
}

test('a redirect fills in host, path and query', async () => {
  const action = { type: 'redirect', to: 'https://{host}{path}{query}', status: 308 } as const;
  const { text, entry } = await ask(action);
  assert.match(text, /^HTTP\/1\.1 308 Permanent Redirect\r\nDate: .* GMT\r\n/);
  assert.match(text, /\r\nLocation: https:\/\/a\.test\/a\/b\?c=d\r\nContent-Length: 0\r\n\r\n$/);
  assert.equal(entry.status, 308);
});

test('respond says what the configuration says, and nothing to a HEAD', async () => {
  const action = { type: 'respond', status: 418, headers: { 'X-Tea': 'yes' }, body: 'short' } as const;
  const shown = await ask(action);
  assert.match(shown.text, /^HTTP\/1\.1 418 .*\r\nX-Tea: yes\r\n.*Content-Length: 5\r\n\r\nshort$/s);
  assert.equal(shown.ended, false);
  const head = await ask(action, get.replace('GET', 'HEAD'));
  assert.match(head.text, /Content-Length: 5\r\n\r\n$/);
  assert.equal(head.entry.bytes.toClient, head.text.length);
});

test('block closes or resets without a word', async () => {
  const closed = await ask({ type: 'block', how: 'close' });
  assert.deepEqual({ text: closed.text, error: closed.error }, { text: '', error: null });
  const reset = await ask({ type: 'block', how: 'reset' });
  assert.deepEqual({ text: reset.text, error: reset.error }, { text: '', error: 'ECONNRESET' });
  assert.equal(reset.stage.core.manager.terminations(1)[0]?.termination?.reason, 'blocked');
});

test('a request without a route, or for another site, is told so and may be followed by others', async () => {
  for (const [outcome, status] of [
    ['no-route', 404],
    ['misdirected', 421],
  ] as const) {
    const { text, ended } = await ask({ type: 'block', how: 'close' }, get, { match: () => outcome });
    assert.match(text, new RegExp(`^HTTP/1.1 ${status} `));
    assert.equal(ended, false);
  }
});

test('what is not admitted is refused, and what is admitted is released once', async () => {
  const action: ResolvedAction = { type: 'respond', status: 200, headers: {}, body: '' };
  for (const [reason, status] of [
    ['blocked', 403],
    ['rate-limit', 429],
    ['connection-limit', 503],
  ] as const) {
    const { text, entry } = await ask(action, get, { admit: () => reason });
    assert.match(text, new RegExp(`^HTTP/1.1 ${status} `));
    assert.equal(entry.error, reason);
  }
});

test('an entry of the access log says everything about one request', async () => {
  const backend = await RawBackend.answering(() => ok);
  const { port } = backend;
  const stage = await Stage.open({ route: routeTo(forward([target(port)])) });
  const client = RawPeer.connect(stage.port);
  client.send(get.repeat(2));
  await client.reads(ok, 2);
  client.socket.destroy();
  await backend.close();
  await stage.close();
  const [first, second] = stage.core.entries;
  const { times, requestId, connection, ...said } = first!;
  assert.deepEqual(said, {
    client: '127.0.0.1',
    route: 'site',
    method: 'GET',
    scheme: 'http',
    host: 'a.test',
    path: '/a/b',
    version: '1.1',
    target: `127.0.0.1:${port}`,
    status: 200,
    bytes: { fromClient: get.length, toClient: ok.length },
    reused: false,
    retried: false,
    error: null,
  });
  assert.equal(requestId, `${connection}-1`);
  assert.ok(times.queueMs! >= 0 && times.connectMs! > 0 && times.firstByteMs! >= times.connectMs!);
  assert.ok(times.totalMs >= times.firstByteMs!);
  assert.deepEqual(
    { reused: second!.reused, connectMs: second!.times.connectMs },
    { reused: true, connectMs: 0 },
  );
  assert.deepEqual(second!.bytes, { fromClient: get.length, toClient: ok.length });
});

test('an entry counts the bytes of its own request, whatever came before or with it', async () => {
  const action: ResolvedAction = { type: 'respond', status: 200, headers: {}, body: '' };
  const stage = await Stage.open({ route: routeTo(action) });
  const client = RawPeer.connect(stage.port);
  const post = 'POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc';
  client.send(get.slice(0, 9));
  await eventually('a part has come', () => stage.core.manager.live()[0]?.client.bytesRead === 9);
  client.send(get.slice(9) + get + post);
  await eventually('all are answered', () => stage.core.entries.length === 3);
  client.socket.destroy();
  await stage.close();
  const counts = stage.core.entries.map(({ bytes }) => bytes.fromClient);
  assert.deepEqual(
    counts,
    [get.length, get.length, post.length - 3],
    'a body that nobody asked for is not read',
  );
});

test('a target function is told of the request, and its answer is used', async () => {
  const backend = await RawBackend.answering(() => ok);
  const seen: unknown[] = [];
  const host = async (context: { request?: unknown; route: string; tls: boolean }): Promise<string> => {
    seen.push(context.route, context.tls, context.request);
    return '127.0.0.1';
  };
  const action = forward([target(backend.port, { host, port: () => backend.port })]);
  const { text } = await ask(action, get.replace('\r\n\r\n', '\r\nX-A: 1\r\nX-A: 2\r\n\r\n'));
  assert.equal(text, ok);
  assert.deepEqual(seen.slice(0, 2), ['site', false]);
  assert.deepEqual(
    { ...(seen[2] as object), headers: { ...(seen[2] as { headers: object }).headers } },
    { method: 'GET', host: 'a.test', path: '/a/b', headers: { host: 'A.test:81', 'x-a': ['1', '2'] } },
  );
  await backend.close();
});

test('a target function that throws, gives nonsense or never answers is a 502 or 504', async () => {
  const functions: [() => string | Promise<string>, number][] = [
    [
      () => {
        throw new Error('secret');
      },
      502,
    ],
    [async () => 'no host name', 502],
    [() => new Promise(() => {}), 504],
  ];
  for (const [host, status] of functions) {
    const route = routeTo(forward([target(1, { host })]), { connectMs: 20 });
    const { text, entry } = await ask(route.action, get, { route });
    assert.match(text, new RegExp(`^HTTP/1.1 ${status} `));
    assert.doesNotMatch(text, /secret/);
    assert.equal(entry.error, 'target-selection-failed');
  }
});

test('a request that is cut short counts what was used of it, not what came behind it', async () => {
  const backend = await RawBackend.open(() => {});
  const stage = await Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = RawPeer.connect(stage.port);
  client.send(get.repeat(3));
  await eventually('it is asked', () => backend.peers[0]?.text.includes('\r\n\r\n') === true);
  client.socket.resetAndDestroy();
  await eventually('it is logged', () => stage.core.entries.length === 1);
  assert.equal(stage.core.entries[0]?.bytes.fromClient, get.length);
  await backend.close();
  await stage.close();
});
