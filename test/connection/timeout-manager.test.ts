import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Table, watch } from './table.ts';

function reasonAfter(
  table: Table,
  ms: number,
  record: { termination: { reason: string } | null },
): string | undefined {
  table.clock.advance(ms);
  return record.termination?.reason;
}

test('a phase deadline ends the connection in its phase, at its time', () => {
  const table = new Table();
  const { record } = table.accept();
  table.manager.transition(record, 'reading-first-bytes');
  table.timeoutManager.arm(record, 'initialData', 1_000);
  assert.equal(reasonAfter(table, 999, record), undefined);
  assert.equal(reasonAfter(table, 1, record), 'initial-data-timeout');
  assert.equal(record.termination?.phase, 'reading-first-bytes');
});

test('a change of state ends the deadline of the former phase', () => {
  const table = new Table();
  const { record } = table.accept({ inactivityMs: 0, stalledWriteMs: 0 });
  table.manager.transition(record, 'reading-first-bytes');
  table.timeoutManager.arm(record, 'initialData', 1_000);
  table.manager.transition(record, 'routing');
  assert.equal(reasonAfter(table, 100_000, record), undefined);
});

// L13
test('activity in either direction is activity: a one-way stream is never inactive', () => {
  const table = new Table();
  const { record } = table.join({ inactivityMs: 60_000 });
  for (let i = 0; i < 100; i++) {
    record.lastActivityAt = table.clock.now();
    assert.equal(reasonAfter(table, 59_999, record), undefined);
  }
  assert.equal(reasonAfter(table, 1, record), 'inactivity');
});

// L7, L8
test('the half-close deadline restarts with each byte, and ends a pair that says nothing more', () => {
  const table = new Table();
  const { record } = table.join({ halfCloseMs: 1_000 });
  table.manager.sideEnded(record, 'client');
  for (let i = 0; i < 50; i++) {
    record.lastActivityAt = table.clock.now();
    assert.equal(reasonAfter(table, 999, record), undefined);
  }
  assert.equal(reasonAfter(table, 1, record), 'half-close-timeout');
  assert.equal(record.termination?.phase, 'half-closed');
});

// L22
test('pending bytes that make no progress end the connection; a slow reader does not', () => {
  const table = new Table();
  const { client, record } = table.join({ stalledWriteMs: 4_000 }, { windowBytes: 10 });
  record.client.write(Buffer.alloc(100));
  watch(client);
  client.pause();
  for (let i = 0; i < 9; i++) {
    client.resume();
    table.clock.advance(0);
    client.pause();
    record.client.write(Buffer.alloc(30));
    assert.equal(reasonAfter(table, 3_000, record), undefined, `slow, round ${i}`);
  }
  assert.equal(reasonAfter(table, 6_000, record), 'stalled-write');
});

test('nothing pending is no stall, however long it lasts', () => {
  const table = new Table();
  const { record } = table.join({ stalledWriteMs: 1_000, inactivityMs: 0 });
  assert.equal(reasonAfter(table, 10_000_000, record), undefined);
});

test('the lifetime ends a connection within 5 % of what was configured', () => {
  const table = new Table();
  for (let i = 0; i < 50; i++) {
    const { record } = table.join({ maxLifetimeMs: 100_000 });
    assert.equal(reasonAfter(table, 94_999, record), undefined);
    assert.equal(reasonAfter(table, 10_002, record), 'max-lifetime');
  }
});

// L14
test('a timeout beyond 2^31-1 ms does not fire at once', () => {
  const table = new Table();
  const { record } = table.join({ inactivityMs: 2 ** 33, stalledWriteMs: 2 ** 33, maxLifetimeMs: 2 ** 34 });
  assert.equal(reasonAfter(table, 2 ** 33 - 1, record), undefined);
  assert.equal(reasonAfter(table, 1, record), 'inactivity');
});

test('0 turns each deadline off', () => {
  const table = new Table();
  const off = { inactivityMs: 0, halfCloseMs: 0, stalledWriteMs: 0, maxLifetimeMs: 0 };
  const { record } = table.join(off);
  table.manager.sideEnded(record, 'client');
  assert.equal(reasonAfter(table, 10 ** 10, record), undefined);
});

test('timeouts of the route replace those of the process as soon as it is known', () => {
  const table = new Table();
  const { record } = table.join({ inactivityMs: 1_000_000 });
  table.timeoutManager.useTimeouts(record, { ...record.timeouts, inactivityMs: 500 });
  assert.equal(reasonAfter(table, 500, record), 'inactivity');
});
