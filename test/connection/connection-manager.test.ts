import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ConnectionState,
  legalMoves,
  reasonInitiators,
  type TerminationReason,
} from '../../src/base/termination.ts';
import { Table, watch } from './table.ts';

test('a record moves only along the table of legal moves', () => {
  const { record } = new Table().accept();
  assert.equal(record.transitionTo('established'), true);
  assert.equal(record.transitionTo('dialing'), false);
  assert.equal(record.state, 'established');
  for (const moves of Object.values(legalMoves)) {
    for (const state of moves) assert.ok(state in legalMoves, state satisfies ConnectionState);
  }
});

// L3
test('error, close, end and a timer in one turn: cleanup runs once and the first cause is kept', () => {
  const calls: string[] = [];
  const table = new Table([{ ended: ({ termination }) => calls.push(termination?.reason ?? '') }]);
  const { record } = table.join();
  let stops = 0;
  record.setOwner({
    stop: () => {
      stops++;
      assert.equal(
        table.manager.initiateCleanupOnce(record, { reason: 'internal-error' }),
        false,
        're-entered',
      );
    },
  });
  assert.equal(
    table.manager.initiateCleanupOnce(record, { reason: 'target-reset', error: new Error('x') }),
    true,
  );
  for (const reason of ['client-closed', 'inactivity', 'client-reset'] as const) {
    assert.equal(table.manager.initiateCleanupOnce(record, { reason }), false);
  }
  table.clock.advance(0);
  assert.equal(stops, 1);
  assert.deepEqual(calls, ['target-reset']);
  assert.equal(record.termination?.phase, 'established');
  assert.equal(table.manager.size, 0);
  assert.equal(table.clock.pending, 0);
});

test('an observer that throws is logged, and the chain goes on', () => {
  const events: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (event: string) => events.push(event) };
  const broken = {
    ended() {
      throw new Error('broken');
    },
  };
  const table = new Table([broken, { ended: () => events.push('second') }], log);
  const { record } = table.join();
  table.manager.initiateCleanupOnce(record, { reason: 'operator' });
  table.clock.advance(0);
  assert.deepEqual(events, ['observer-failed', 'second']);
  assert.equal(table.manager.size, 0);
});

const graceful: readonly TerminationReason[] = [
  'client-closed',
  'target-closed',
  'handler-ended',
  'responded',
  'kernel-closed',
];

for (const reason of Object.keys(reasonInitiators) as TerminationReason[]) {
  const cut = !graceful.includes(reason);
  // L19
  test(`${reason} of a joined pair ${cut ? 'resets' : 'finishes'} both sides`, () => {
    const table = new Table();
    const { client, record, target } = table.join();
    const clientSide = watch(client);
    const targetSide = watch(target);
    record.client.write(Buffer.from('answer'));
    table.manager.initiateCleanupOnce(record, { reason });
    table.clock.advance(0);
    client.end();
    target.end();
    table.clock.runUntilIdle();
    const first = cut ? 'ECONNRESET' : 'end';
    assert.deepEqual([clientSide.seen[0], targetSide.seen[0]], [first, first]);
    if (!cut) assert.equal(clientSide.bytes(), 'answer');
    assert.equal(record.state, 'closed');
    assert.equal(
      table.manager.statistics().cleanup[cut ? (reason === 'orphaned' ? 'orphaned' : 'forced') : 'graceful'],
      1,
    );
    assert.equal(table.clock.pending, 0);
  });
}

test('before a target was reached every ending is a FIN, after what was written', () => {
  const table = new Table();
  const { client, record } = table.accept();
  const seen = watch(client);
  record.client.write(Buffer.from('alert'));
  table.manager.initiateCleanupOnce(record, { reason: 'no-route' });
  table.clock.advance(0);
  assert.deepEqual(seen.seen, ['end']);
  assert.equal(seen.bytes(), 'alert');
  client.end();
  table.clock.advance(0);
  assert.equal(table.manager.size, 0);
  assert.equal(table.clock.pending, 0);
});

test('a peer that never sends its FIN is closed after the grace, which starts when all was flushed', () => {
  const table = new Table();
  const { client, record } = table.accept({ cleanupGraceMs: 2_000 }, { windowBytes: 4 });
  record.client.write(Buffer.from('more than the window'));
  table.manager.initiateCleanupOnce(record, { reason: 'no-route' });
  table.clock.advance(10_000);
  assert.equal(table.manager.size, 1, 'the peer reads nothing: the grace has not begun');
  watch(client);
  table.clock.advance(1_999);
  assert.equal(table.manager.size, 1);
  table.clock.advance(1);
  assert.equal(table.manager.size, 0);
  assert.deepEqual(table.manager.statistics().cleanup, { graceful: 0, forced: 1, orphaned: 0 });
});

// L22
test('a peer that never reads is cut after stalledWriteMs while closing, also where that is off', () => {
  for (const [stalledWriteMs, limit] of [
    [1_000, 1_500],
    [0, 400_000],
  ] as const) {
    const table = new Table();
    const { record } = table.accept({ stalledWriteMs }, { windowBytes: 4 });
    record.client.write(Buffer.from('more than the window'));
    table.manager.initiateCleanupOnce(record, { reason: 'no-route' });
    table.clock.advance(limit);
    assert.equal(table.manager.size, 0);
    assert.equal(record.termination?.reason, 'no-route');
    assert.equal(table.clock.pending, 0);
  }
});

test('what is forced while bytes are pending ends by a reset: what was cut must not look whole', () => {
  const table = new Table();
  const { client, record } = table.accept({}, { windowBytes: 100 });
  const { seen, bytes } = watch(client);
  client.pause();
  record.client.write(Buffer.alloc(500, 'x'));
  table.manager.initiateCleanupOnce(record, { reason: 'responded' });
  table.clock.flush();
  table.manager.forceClosing();
  client.resume();
  table.clock.flush();
  assert.ok(bytes().length < 500);
  assert.deepEqual(seen, ['ECONNRESET', 'close']);
  assert.equal(table.manager.statistics().cleanup.forced, 1);
});

test('an owner lets go before the sockets are closed, and hears nothing of the closing', () => {
  const table = new Table();
  const { client, record } = table.accept();
  const heard: string[] = [];
  record.client.setListener({
    onData: () => heard.push('data'),
    onEnd: () => heard.push('end'),
    onDrain: () => heard.push('drain'),
    onFinish: () => heard.push('finish'),
    onError: () => heard.push('error'),
    onClose: () => heard.push('close'),
  });
  record.setOwner({ stop: () => record.client.setListener(null) });
  table.manager.initiateCleanupOnce(record, { reason: 'operator' });
  client.write(Buffer.from('late'));
  client.end();
  table.clock.runUntilIdle();
  assert.deepEqual(heard, []);
  assert.equal(table.manager.size, 0);
});

// L15
test('ten thousand connections leave every table, timer and counter where it was', () => {
  const table = new Table();
  for (let i = 0; i < 10_000; i++) {
    const { record } = table.join();
    table.manager.initiateCleanupOnce(record, { reason: i % 2 === 0 ? 'operator' : 'target-reset' });
    table.clock.advance(1);
  }
  const { connections, terminations } = table.manager.statistics();
  assert.deepEqual(connections, { active: 0, opened: 10_000, terminated: 10_000, refused: 0 });
  assert.deepEqual(terminations, { operator: 5_000, 'target-reset': 5_000 });
  assert.equal(table.manager.size + table.manager.addresses + table.timeoutManager.size, 0);
  assert.equal(table.manager.terminations(5_000).length, 1_000);
  assert.equal(table.clock.pending, 0);
});

test('records are found by id, route and address while they live, and by id among the last ended', () => {
  const table = new Table();
  const { record } = table.accept();
  table.manager.setClientAddress(record, { ip: '192.0.2.7', port: 1 });
  assert.deepEqual(table.manager.ofAddress('192.0.2.7'), [record]);
  assert.equal(table.manager.find(record.id)?.state, 'accepted');
  table.manager.initiateCleanupOnce(record, { reason: 'blocked', effect: 'reset' });
  table.clock.runUntilIdle();
  assert.equal(table.manager.find(record.id)?.termination?.reason, 'blocked');
  assert.deepEqual(table.manager.ofAddress('192.0.2.7'), []);
  assert.equal(table.manager.get(record.id), undefined);
});

test('the story of a connection is bounded, and keeps its ending', () => {
  const table = new Table();
  const { record } = table.accept();
  for (let i = 0; i < 100; i++) record.note(i, 'dial-failed');
  table.manager.initiateCleanupOnce(record, { reason: 'connect-refused' });
  assert.ok(record.trail.length <= 32);
  assert.equal(record.trail.at(-1)?.what, 'ending');
});
