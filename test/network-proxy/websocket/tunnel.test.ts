import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watch } from '../../connection/table.ts';
import { eventually } from '../../support/eventually.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { RawBackend, RawPeer } from '../raw-peer.ts';
import { forward, MemoryStage, routeTo, Stage, target } from '../stage.ts';

const upgrade = [
  'GET /socket HTTP/1.1',
  'Host: a.test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '',
  '',
].join('\r\n');
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

async function stageFor(backend: RawBackend): Promise<Stage> {
  return Stage.open({ route: routeTo(forward([target(backend.port)])) });
}

/** A backend that changes to a protocol in which every byte comes back, and ends when it is told to. */
async function echo(behindHead = ''): Promise<RawBackend> {
  return RawBackend.open((peer) => {
    let open = false;
    peer.socket.on('data', (chunk) => {
      if (open) return peer.send(chunk.toString('latin1'));
      const end = peer.text.indexOf('\r\n\r\n');
      if (end < 0) return;
      open = true;
      peer.send(switching + behindHead + peer.text.slice(end + 4));
    });
    peer.socket.on('end', () => peer.socket.end());
  });
}

// H3, W3
test('after 101 bytes cross unchanged in both directions, those behind the heads first', async () => {
  const backend = await echo('\x81\x02hi');
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(`${upgrade}\x81\x85early`);
  await client.reads('\x81\x02hi\x81\x85early');
  const close = '\x88\x82\x00\x00\x00\x00\x03\xe8';
  client.send(close);
  await client.reads(`early${close}`);
  assert.equal(client.text, `${switching}\x81\x02hi\x81\x85early${close}`);
  assert.match(backend.peers[0]!.text, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n/);
  client.socket.end();
  await client.closes();
  await backend.close();
  await stage.close();
  const [record] = stage.core.manager.terminations(1);
  assert.equal(record?.termination?.reason, 'client-closed');
  const [entry] = stage.core.entries;
  assert.equal(entry?.status, 101);
  const sent = upgrade.length + '\x81\x85early'.length + close.length;
  assert.deepEqual(entry?.bytes, { fromClient: sent, toClient: client.text.length });
});

// W3
test('whichever side ends a tunnel, both end, with that side as the cause', async () => {
  const endings = [
    { who: 'backend', how: 'end', reason: 'target-closed' },
    { who: 'backend', how: 'resetAndDestroy', reason: 'target-reset' },
    { who: 'client', how: 'end', reason: 'client-closed' },
    { who: 'client', how: 'resetAndDestroy', reason: 'client-reset' },
  ] as const;
  for (const { who, how, reason } of endings) {
    const backend = await echo();
    const stage = await stageFor(backend);
    const client = RawPeer.connect(stage.port);
    client.send(upgrade);
    await client.reads(switching);
    const [peer, other] = who === 'client' ? [client, backend.peers[0]!] : [backend.peers[0]!, client];
    peer.socket[how]();
    if (how === 'end') await other.closes();
    else await eventually('the other side is reset', () => other.error === 'ECONNRESET');
    await stage.close();
    await backend.close();
    assert.equal(stage.core.manager.terminations(1)[0]?.termination?.reason, reason);
  }
});

// H3, W2
test('a backend that answers an upgrade with 200 stays in HTTP, and pipelined bytes are a request', async () => {
  const backend = await RawBackend.answering((_request, number) =>
    number === 1
      ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno'
      : 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext',
  );
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(`${upgrade}GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n`);
  await client.reads('next');
  assert.match(backend.peers[0]!.text, /GET \/next HTTP\/1\.1\r\nHost: a\.test\r\nX-Forwarded-For/);
  client.send('\x81\x85bytes');
  await client.reads('HTTP/1.1 400 Bad Request');
  await client.closes();
  await backend.close();
  await stage.close();
});

// H3
test('an upgrade with a body is a request like any other: its body is a body, and 101 is refused', async () => {
  const backend = await RawBackend.answering(() => switching);
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(upgrade.replace('\r\n\r\n', '\r\nContent-Length: 4\r\n\r\nbody'));
  await client.reads('HTTP/1.1 502 Bad Gateway');
  assert.doesNotMatch(backend.peers[0]!.text, /upgrade/i);
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

// H3
test('nobody changes to HTTP/2 in clear text behind our back', async () => {
  const backend = await RawBackend.answering(() => 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n',
  );
  await client.reads('200 OK');
  assert.doesNotMatch(backend.peers[0]!.text, /upgrade|h2c|settings/i);
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

// W2
test('upgrades that are refused again and again leave nothing', async () => {
  const backend = await RawBackend.answering(() => 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  for (let i = 1; i <= 100; i++) {
    client.send(upgrade);
    await client.reads('403 Forbidden', i);
  }
  assert.equal(backend.peers.length, 1);
  const [pool] = stage.core.pools.statistics;
  assert.deepEqual(
    { idle: pool?.idle, busy: pool?.busy, opened: pool?.opened },
    { idle: 1, busy: 0, opened: 1 },
  );
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

// W1, L6
test('an idle tunnel stays open as long as inactivityMs allows, and nothing is put into it', () => {
  const clock = new VirtualClock();
  const stage = new MemoryStage(clock, { route: routeTo(forward([target(1)])) });
  const { client, record } = stage.connect();
  const seen = watch(client);
  client.write(Buffer.from(upgrade));
  clock.flush();
  const backend = stage.dialled[0]!;
  const backendSeen = watch(backend);
  backend.write(Buffer.from(switching));
  clock.flush();
  const request = backendSeen.bytes();
  clock.advance(record.timeouts.inactivityMs - 1);
  assert.equal(record.ending, false);
  assert.equal(seen.bytes(), switching);
  assert.equal(backendSeen.bytes(), request);
  client.write(Buffer.from('x'));
  clock.advance(record.timeouts.inactivityMs - 1);
  assert.equal(record.ending, false);
  assert.equal(backendSeen.bytes(), `${request}x`);
  clock.advance(2);
  assert.equal(record.termination?.reason, 'inactivity');
  assert.ok(seen.seen.includes('ECONNRESET') && backendSeen.seen.includes('ECONNRESET'));
  clock.advance(120_000);
  stage.core.assertNothingLeft();
  assert.equal(clock.pending, 0);
});

// L6
test('an answer that streams events and is silent for long stays open', () => {
  const clock = new VirtualClock();
  const stage = new MemoryStage(clock, { route: routeTo(forward([target(1)])) });
  const { client, record } = stage.connect();
  const seen = watch(client);
  client.write(Buffer.from('GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n'));
  clock.flush();
  const backend = stage.dialled[0]!;
  watch(backend);
  backend.write(Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n:\n\r\n'));
  clock.advance(record.timeouts.inactivityMs - 1);
  backend.write(Buffer.from('2\r\n:\n\r\n'));
  clock.advance(record.timeouts.inactivityMs - 1);
  assert.equal(record.termination, null);
  assert.match(seen.bytes(), /:\n\r\n2\r\n:\n\r\n$/);
  client.reset();
  clock.advance(120_000);
  stage.core.assertNothingLeft();
  assert.equal(clock.pending, 0);
});

// L12
test('a tunnel whose client is gone is no orphan while its backend still takes what the client said', () => {
  const clock = new VirtualClock();
  const route = routeTo(forward([target(1)]));
  const wire = { windowBytes: 1_000, highWaterBytes: 16_384, lendShare: 0 };
  const stage = new MemoryStage(clock, { route, wire });
  const { client, record } = stage.connect();
  client.write(Buffer.from(upgrade));
  watch(client);
  clock.flush();
  const [backend] = stage.dialled;
  watch(backend!);
  clock.flush();
  backend!.write(Buffer.from(switching));
  clock.flush();
  backend!.pause();
  client.write(Buffer.alloc(5_000, 'x'));
  client.end();
  backend!.end();
  clock.flush();
  assert.equal(record.client.closed, true);
  assert.equal(record.target?.closed, false);
  assert.equal(record.state, 'half-closed');
  backend!.resume();
  clock.flush();
  assert.equal(record.termination?.reason, 'target-closed');
  clock.advance(120_000);
  stage.core.assertNothingLeft();
});
