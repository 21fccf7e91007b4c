import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SelfAudit } from '../../src/connection/self-audit.ts';
import { Table } from './table.ts';

function auditOf(table: Table, sockets: () => number, events: string[] = []): SelfAudit {
  return new SelfAudit({
    clock: table.clock,
    manager: table.manager,
    timeouts: table.timeoutManager,
    log: { debug() {}, info() {}, warn() {}, error: (event) => events.push(event) },
    witnesses: { sockets, flows: () => 0, addresses: () => table.manager.addresses, descriptors: () => null },
  });
}

// L12
test('sockets that vanished without an event: one pass removes the record as orphaned, and counts it', () => {
  const events: string[] = [];
  const table = new Table();
  const { record } = table.join();
  const other = table.join();
  const audit = auditOf(table, () => 1, events);
  record.client.destroy();
  record.target?.destroy();
  table.clock.advance(0);
  assert.equal(table.manager.size, 2, 'nobody listened, so nobody was told');
  audit.sweep();
  table.clock.advance(0);
  assert.equal(table.manager.size, 1);
  assert.equal(record.termination?.reason, 'orphaned');
  assert.equal(table.manager.statistics().cleanup.orphaned, 1);
  assert.equal(other.record.state, 'established');
  assert.deepEqual(events, ['connection-orphaned']);
});

test('a record whose event is only on its way is left alone', () => {
  const events: string[] = [];
  const table = new Table();
  const { record } = table.join();
  table.manager.initiateCleanupOnce(record, { reason: 'operator' });
  auditOf(table, () => 0, events).sweep();
  table.clock.runUntilIdle();
  assert.equal(record.termination?.reason, 'operator');
  assert.deepEqual(events, []);
});

test('a difference is reported when a second sweep finds it, once, until one finds none', () => {
  const events: string[] = [];
  const table = new Table();
  let sockets = 1;
  table.join();
  const audit = auditOf(table, () => sockets, events);
  audit.sweep();
  assert.equal(audit.snapshot().consistent, true);
  sockets = 2;
  audit.sweep();
  assert.deepEqual([audit.snapshot().consistent, audit.differences], [true, 0], 'it may be on its way');
  audit.sweep();
  audit.sweep();
  assert.deepEqual([audit.snapshot().consistent, audit.differences], [false, 1]);
  assert.deepEqual(events, ['audit-difference']);
  sockets = 1;
  audit.sweep();
  assert.equal(audit.snapshot().consistent, true);
});

test('it sweeps by itself until it is stopped, and leaves no timer', () => {
  const table = new Table();
  const audit = auditOf(table, () => 0);
  const { record } = table.join();
  audit.start();
  record.client.destroy();
  record.target?.destroy();
  table.clock.advance(5_000);
  assert.equal(table.manager.size, 0);
  audit.stop();
  assert.equal(table.clock.pending, 0);
});
