import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientHello } from '../first-bytes.ts';
import { ports } from './routes.ts';
import { bytes, ending, only, play, write } from './scripted.ts';

const hello = clientHello({ serverName: 'a.test', alpn: [], keyShareBytes: 1_216, recordBytes: 16_384 });
const helloOpening = {
  proxyHeaderBytes: 0,
  realIp: null,
  kind: 'hello',
  serverName: 'a.test',
  whole: false,
} as const;

// T4

test('a hello that comes drop by drop is ended by the total deadline', () => {
  const drops = Array.from(hello.subarray(0, 600), (byte, index) =>
    write(index * 2_000, Uint8Array.of(byte)),
  );
  const { stories } = play({
    clients: [{ localPort: ports.names, opening: helloOpening, steps: drops }],
    timeouts: { initialDataMs: 15_000 },
  });
  assert.equal(ending(only(stories)), 'initial-data-timeout in reading-first-bytes');
  assert.equal(only(stories).causedAt, 15_000);
});

// T9

test('a client that leaves in mid-hello, after any byte, frees everything', () => {
  for (let length = 0; length < hello.length; length += length < 80 ? 1 : 61) {
    for (const deed of ['fin', 'destroy', 'reset'] as const) {
      const { stories } = play({
        clients: [
          {
            localPort: ports.names,
            opening: helloOpening,
            steps: [write(0, hello.subarray(0, length)), { atMs: 5, deed }],
          },
        ],
      });
      const reason = deed === 'reset' ? 'client-reset' : 'client-closed';
      assert.equal(ending(only(stories)), `${reason} in reading-first-bytes`, `after ${length} bytes`);
      assert.ok(only(stories).endedAt <= 2_005);
    }
  }
});

// P4

test('a trusted peer that is silent, or sends no header, ends and frees its slot', () => {
  const peer = { ip: '10.9.0.1', script: { afterEnd: { deed: 'nothing', delayMs: 0 } as const } };
  const { stories } = play({
    clients: [
      { ...peer },
      { ...peer, connectAtMs: 20_000, steps: [write(0, bytes(40))] },
      { ...peer, connectAtMs: 21_500 },
    ],
    limits: { maxConnections: 1 },
    timeouts: { initialDataMs: 3_000, cleanupGraceMs: 1_000 },
  });
  assert.deepEqual(stories.map(ending), [
    'initial-data-timeout in reading-first-bytes',
    'invalid-proxy-header in reading-first-bytes',
    'initial-data-timeout in reading-first-bytes',
  ]);
});

// S1

test('exactly as many as the limit says are admitted, and a slot is free again after its close', () => {
  const client = { ip: '192.0.2.9', steps: [{ atMs: 1_000, deed: 'fin' as const }] };
  const { stories, world } = play({
    clients: [...Array.from({ length: 10 }, () => client), { ...client, connectAtMs: 5_000 }],
    backends: Array.from({ length: 10 }, () => ({})),
    limits: { maxConnectionsPerIp: 3 },
  });
  assert.equal(stories.length, 4);
  assert.deepEqual(world.proxy.manager.statistics().refusals, { 'connection-limit': 7 });
});

// S4
test('a route that is full refuses, while others go on', () => {
  const client = { steps: [write(0, bytes(5)), { atMs: 1_000, deed: 'fin' as const }] };
  const { stories } = play({
    clients: [
      { ...client, localPort: ports.spread },
      { ...client, localPort: ports.spread, connectAtMs: 100 },
      { ...client, connectAtMs: 200 },
      { ...client, ip: '192.0.2.8', localPort: ports.spread, connectAtMs: 5_000 },
    ],
    backends: [{}, {}, {}],
  });
  assert.deepEqual(stories.map(ending), [
    'client-closed in half-closed',
    'connection-limit in routing',
    'client-closed in half-closed',
    'client-closed in half-closed',
  ]);
});

test('a hello that comes in pieces goes over the bridge whole, behind the header that proves who sends it', () => {
  for (const pieces of [1, 2, 50, hello.length]) {
    const size = Math.ceil(hello.length / pieces);
    const steps = Array.from({ length: pieces }, (_, index) =>
      write(index, hello.subarray(index * size, (index + 1) * size)),
    );
    const { world, stories } = play({
      clients: [{ localPort: ports.bridged, opening: helloOpening, steps }],
      backends: [{ steps: [write(3_000, bytes(500)), { atMs: 3_001, deed: 'fin' }] }],
    });
    const story = only(stories);
    assert.equal(ending(story), 'target-closed in half-closed');
    assert.equal(story.record.viaNetworkProxy, true);
    assert.equal(story.callbacks, 1);
    const received = world.network.peers.get(story.target!)!.received;
    assert.deepEqual(received.subarray(received.length - hello.length), hello);
  }
});
