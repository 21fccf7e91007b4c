import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deed } from '../peer.ts';
import { ports } from './routes.ts';
import { bytes, ending, idle, only, play, write } from './scripted.ts';

// L3

test('error, close, end and a timer in one tick: one clean-up, the first cause is kept', () => {
  const causes = [
    'client resets',
    'target resets',
    'client ends',
    'target ends',
    'operator',
    'timer',
  ] as const;
  const reasons = {
    'client resets': 'client-reset',
    'target resets': 'target-reset',
    operator: 'operator',
  } as const;
  for (const order of permutations(causes)) {
    const { stories } = play(
      { clients: [{}], backends: [{}], timeouts: { inactivityMs: 1_000 }, network: { lendShare: 0 } },
      (world) => {
        const act: Record<(typeof causes)[number], () => void> = {
          'client resets': () => deed('client 0', 'reset'),
          'target resets': () => deed('backend 0', 'reset'),
          'client ends': () => deed('client 0', 'fin'),
          'target ends': () => deed('backend 0', 'fin'),
          operator: () => world.proxy.terminateOne(),
          timer: () => {},
        };
        const deed = (name: string, what: Deed): void => {
          for (const actor of world.network.peers.values()) if (actor.name.startsWith(name)) actor.do(what);
        };
        world.process.terminated++;
        world.clock.setTimer(1_000, () => {
          for (const cause of order) act[cause]();
        });
      },
    );
    const story = only(stories);
    assert.equal(story.cleanups, 1);
    assert.equal(story.ended, 1);
    const reason = story.record.termination?.reason ?? '';
    assert.ok([...Object.values(reasons), 'inactivity'].includes(reason as 'operator'), reason);
  }
});

function permutations<T>(values: readonly T[]): T[][] {
  if (values.length < 2) return [[...values]];
  return values.flatMap((first, index) =>
    permutations(values.filter((_, other) => other !== index)).map((rest) => [first, ...rest]),
  );
}

// L7, L13

test('a half-closed connection and a one-way stream live as long as bytes come in either direction', () => {
  for (const halfClosed of [true, false]) {
    const minutes = Array.from({ length: 60 }, (_, minute) => write(minute * 60_000, bytes(50)));
    const { stories } = play({
      clients: [halfClosed ? { steps: [write(0, bytes(9)), { atMs: 10, deed: 'fin' }] } : {}],
      backends: [{ ...idle, steps: [...minutes, { atMs: 60 * 60_000, deed: 'fin' }] }],
      timeouts: { halfCloseMs: 61_000, inactivityMs: 61_000 },
      horizonMs: 61 * 60_000,
    });
    assert.equal(ending(only(stories)), `${halfClosed ? 'client' : 'target'}-closed in half-closed`);
    assert.equal(only(stories).record.bytesToClient, 60 * 50);
  }
});

// L13

test('an upload without a reply is not killed', () => {
  const minutes = Array.from({ length: 60 }, (_, minute) => write(minute * 60_000, bytes(50)));
  const { stories } = play({
    clients: [{ steps: [...minutes, { atMs: 60 * 60_000, deed: 'fin' }] }],
    backends: [{}],
    timeouts: { inactivityMs: 61_000 },
    horizonMs: 61 * 60_000,
  });
  assert.equal(ending(only(stories)), 'client-closed in half-closed');
  assert.equal(only(stories).record.bytesFromClient, 60 * 50);
});

// L8

test('a half-closed pair whose other side stays silent ends by half-close-timeout', () => {
  const { stories } = play({
    clients: [{ steps: [write(0, bytes(9)), { atMs: 10, deed: 'fin' }] }],
    backends: [{ ...idle, steps: [write(2_000, bytes(1))] }],
    timeouts: { halfCloseMs: 5_000 },
  });
  assert.equal(ending(only(stories)), 'half-close-timeout in half-closed');
  assert.equal(only(stories).causedAt, 7_000);
});

// L12

test('sockets that went away without an event are found by one audit, and counted', () => {
  const { stories, world } = play({
    clients: [{}],
    backends: [{}],
    operator: [{ atMs: 1_000, what: 'vanish' }],
  });
  assert.equal(ending(only(stories)), 'orphaned in established');
  assert.equal(only(stories).endedAt, 1_000);
  const { cleanup, terminations } = world.proxy.manager.statistics();
  assert.deepEqual(cleanup, { graceful: 0, forced: 0, orphaned: 1 });
  assert.deepEqual(terminations, { orphaned: 1 });
});

// L14

test('deadlines beyond 2³¹−1 ms do not fire at once', () => {
  const beyond = 2 ** 31 + 5_000;
  const { stories } = play({
    clients: [{}],
    backends: [{}],
    timeouts: { inactivityMs: beyond, halfCloseMs: 2 ** 40, maxLifetimeMs: 2 ** 45, stalledWriteMs: 2 ** 50 },
    horizonMs: 2 ** 32,
  });
  assert.equal(ending(only(stories)), 'inactivity in established');
  assert.equal(only(stories).causedAt, beyond);
});

// L19

test('a RST from one side gives a RST to the other, never a FIN', () => {
  for (const side of ['client', 'target'] as const) {
    const reset = { steps: [write(0, bytes(50)), { atMs: 100, deed: 'reset' } as const] };
    const { stories, world } = play({
      clients: [side === 'client' ? reset : {}],
      backends: [side === 'target' ? reset : {}],
    });
    assert.equal(ending(only(stories)), `${side}-reset in established`);
    const other = side === 'client' ? only(stories).target : only(stories).client;
    const actor = other === null ? undefined : world.network.peers.get(other);
    assert.equal(actor?.sawError, 'ECONNRESET');
    assert.equal(actor?.sawFin, false);
  }
});

// L21

test('health checks that connect and close leave nothing, on any kind of port', () => {
  const { stories, world } = play({
    clients: Array.from({ length: 30 }, (_, index) => ({
      localPort: [ports.plain, ports.names, ports.spread][index % 3] as number,
      connectAtMs: index * 10,
      steps: [{ atMs: 0, deed: 'destroy' as const }],
    })),
    backends: Array.from({ length: 30 }, () => ({})),
  });
  assert.equal(stories.length, 30);
  assert.deepEqual(Object.keys(world.proxy.manager.statistics().terminations), ['client-closed']);
});

// L22

test('a write that never drains ends as stalled-write, with bounded memory', () => {
  const { stories } = play({
    clients: [{ script: { reads: false } }],
    backends: [{ steps: Array.from({ length: 100 }, (_, index) => write(index, bytes(1_000))) }],
    timeouts: { stalledWriteMs: 4_000 },
    network: { windowBytes: 500, readBytes: 200 },
  });
  const story = only(stories);
  assert.equal(ending(story), 'stalled-write in established');
  assert.ok(story.causedAt >= 4_000 && story.causedAt <= 5_100, `${story.causedAt}`);
  assert.ok(story.client.peakPendingBytes <= 201);
});

// L22

test('a slow reader that makes progress is not stalled', () => {
  const turns = Array.from({ length: 40 }, (_, index) => ({
    atMs: 1_000 * index,
    deed: index % 2 === 0 ? ('resume' as const) : ('pause' as const),
  }));
  const { stories } = play({
    clients: [{ script: { reads: false }, steps: turns }],
    backends: [{ steps: [write(0, bytes(4_000)), { atMs: 1, deed: 'fin' }] }],
    timeouts: { stalledWriteMs: 4_000 },
    network: { windowBytes: 500, readBytes: 50, latencyMs: 900, segmentBytes: 60 },
    horizonMs: 100_000,
  });
  assert.equal(ending(only(stories)), 'target-closed in half-closed');
  assert.equal(only(stories).record.bytesToClient, 4_000);
});

// L26

test('bytes of two connections never mix while one of them is paused, dials slowly or is cut', () => {
  const { stories, world } = play({
    clients: [
      { script: { reads: false }, steps: [write(0, bytes(3_000, 1)), { atMs: 900, deed: 'resume' }] },
      { steps: [write(0, bytes(3_000, 90)), { atMs: 800, deed: 'reset' }] },
    ],
    backends: [{ delayMs: 400, script: { echo: true } }, { script: { echo: true, reads: false } }],
    network: { windowBytes: 400, readBytes: 300, highWaterBytes: 500, latencyMs: 3 },
    horizonMs: 3_000,
  });
  assert.equal(stories.length, 2);
  const first = world.network.peers.get((stories[0] as (typeof stories)[0]).client);
  assert.deepEqual(first?.received, bytes(3_000, 1));
});
