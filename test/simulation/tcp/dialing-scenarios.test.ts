import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ports } from './routes.ts';
import { bytes, ending, idle, only, play, write } from './scripted.ts';

// L1

test('a refused dial closes the client, and nothing is left', () => {
  const { world, stories } = play({
    clients: [{ steps: [write(0, bytes(10))] }],
    backends: [{ outcome: 'refuse', delayMs: 5 }],
  });
  assert.equal(ending(only(stories)), 'connect-refused in dialing');
  assert.equal(only(stories).endedAt < 10, true);
  assert.deepEqual(world.proxy.manager.statistics().terminations, { 'connect-refused': 1 });
});

test('after a refused dial the next target is tried', () => {
  const { world, stories } = play({
    clients: [{ localPort: ports.spread, steps: [write(0, bytes(10)), { atMs: 20, deed: 'fin' }] }],
    backends: [{ outcome: 'refuse' }, { outcome: 'unreachable' }, {}],
  });
  assert.equal(ending(only(stories)), 'client-closed in half-closed');
  assert.deepEqual(world.network.outcomes, ['refuse', 'unreachable', 'accept']);
});

// L4

test('a client that ends after its request gets the whole answer, even if it ended while dialing', () => {
  for (const delayMs of [0, 500]) {
    const { stories, world } = play({
      clients: [{ steps: [write(0, bytes(100)), { atMs: 1, deed: 'fin' }] }],
      backends: [{ ...idle, delayMs, steps: [write(1_000, bytes(5_000)), { atMs: 2_000, deed: 'fin' }] }],
      network: { windowBytes: 300, readBytes: 100, latencyMs: 2 },
    });
    assert.equal(ending(only(stories)), 'client-closed in half-closed');
    const client = world.network.peers.get(only(stories).client);
    assert.equal(client?.received.length, 5_000);
    assert.ok(client?.sawFin);
  }
});

// L9

test('a client that resets, or ends without a byte, aborts the dial; one that comes late is destroyed', () => {
  for (const deed of ['reset', 'fin', 'destroy'] as const) {
    for (const late of [false, true]) {
      const { stories, world } = play({
        clients: [{ steps: [{ atMs: 10, deed }] }],
        backends: [{ delayMs: 100, late }],
      });
      assert.equal(
        ending(only(stories)),
        `${deed === 'reset' ? 'client-reset' : 'client-closed'} in dialing`,
      );
      assert.ok(only(stories).endedAt < 50);
      const lateComer = world.network.dialled[0];
      assert.equal(lateComer !== undefined, late);
      assert.ok(!late || lateComer?.closed);
    }
  }
});

// L9

test('a client that sends and then resets aborts the dial too', () => {
  const { stories } = play({
    clients: [{ steps: [write(0, bytes(100)), { atMs: 10, deed: 'reset' }] }],
    backends: [{ outcome: 'hang' }],
  });
  assert.equal(ending(only(stories)), 'client-reset in dialing');
  assert.equal(only(stories).record.bytesFromClient, 100);
});

// L10

test('1,000 clients of a backend that swallows SYNs all end by connect-timeout', () => {
  const { stories, world } = play({
    clients: Array.from({ length: 1_000 }, () => ({ steps: [write(0, bytes(3))] })),
    backends: Array.from({ length: 1_000 }, () => ({ outcome: 'hang' as const })),
  });
  assert.deepEqual(world.proxy.manager.statistics().terminations, { 'connect-timeout': 1_000 });
  assert.ok(stories.every((story) => story.causedAt === 5_000));
});

// L18

test('a server that speaks first is not kept waiting where no name is needed', () => {
  const { world, stories } = play({
    clients: [{ steps: [{ atMs: 500, deed: 'fin' }] }],
    backends: [{ steps: [write(0, bytes(20))] }],
  });
  assert.equal(only(stories).record.bytesToClient, 20);
  const greetedAt = world.lines.find((line) => line.includes(' client 0: read 20'));
  assert.match(greetedAt ?? '', /^ +0 client 0/);
});
