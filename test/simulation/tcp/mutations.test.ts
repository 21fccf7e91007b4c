/**
 * Who watches the simulation: the real code is broken on purpose, one fault at a time, and the
 * simulation has to notice each within a bounded number of seeds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Loan } from '../../../src/base/transport.ts';
import { SocketCloser } from '../../../src/connection/cleanup-socket.ts';
import { ConnectionManager } from '../../../src/connection/connection-manager.ts';
import { ConnectionRecord } from '../../../src/connection/connection-record.ts';
import { Tally } from '../../../src/connection/connection-statistics.ts';
import { RecordIndex } from '../../../src/connection/record-index.ts';
import { SelfAudit } from '../../../src/connection/self-audit.ts';
import { TimeoutManager } from '../../../src/connection/timeout-manager.ts';
import { GrowingBuffer } from '../../../src/first-bytes/growing-buffer.ts';
import { ClientBuffer } from '../../../src/forwarding/client-buffer.ts';
import { JoinedPair } from '../../../src/forwarding/joined-pair.ts';
import { SecurityManager } from '../../../src/security/security-manager.ts';
import { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import { mutationsIn, patience, withBroken } from '../mutation.ts';
import { firstFailing } from '../runner.ts';
import { tcpKind } from './kind.ts';
import { relayHears } from './relay-mutation.ts';

const mutation = mutationsIn(tcpKind);

function mutateRelay(fault: string, change: Parameters<typeof relayHears>[0]): void {
  mutation(fault, MemoryTransport.prototype, 'setListener', relayHears(change));
}

test('without a fault the same seeds pass', async () => {
  assert.equal(await firstFailing(tcpKind, patience), null);
});

test('without a fault they pass through the means of the mutations too', () =>
  withBroken(
    MemoryTransport.prototype,
    'setListener',
    relayHears(() => ({})),
    async () => {
      assert.equal(await firstFailing(tcpKind, patience), null);
    },
  ));

mutation(
  'an owner is not detached when its connection ends',
  ConnectionRecord.prototype,
  'releaseOwner',
  () => () => {},
);

mutation(
  'cleanup runs twice',
  ConnectionManager.prototype,
  'initiateCleanupOnce',
  (original) =>
    function (this: ConnectionManager, record, cause) {
      const first = original.call(this, record, cause);
      if (first) this.cleanupConnection(record, 'reset');
      return first;
    },
);

mutation(
  'a later cause replaces the first',
  ConnectionManager.prototype,
  'initiateCleanupOnce',
  (original) =>
    function (this: ConnectionManager, record, cause) {
      const first = original.call(this, record, cause);
      if (!first && record.termination !== null)
        record.termination = { ...record.termination, reason: cause.reason };
      return first;
    },
);

mutation(
  'a late move of a record is not refused',
  ConnectionRecord.prototype,
  'transitionTo',
  (original) =>
    function (this: ConnectionRecord, state) {
      original.call(this, state);
      return true;
    },
);

mutation(
  'a FIN is sent where a RST should be',
  ConnectionManager.prototype,
  'cleanupConnection',
  (original) =>
    function (this: ConnectionManager, record) {
      original.call(this, record, 'finish');
    },
);

mutation(
  'a graceful ending resets',
  ConnectionManager.prototype,
  'cleanupConnection',
  (original) =>
    function (this: ConnectionManager, record) {
      original.call(this, record, 'reset');
    },
);

mutation(
  'the target is not closed',
  ConnectionManager.prototype,
  'cleanupConnection',
  (original) =>
    function (this: ConnectionManager, record, effect) {
      record.target = null;
      original.call(this, record, effect);
    },
);

for (const phase of ['connect', 'targetSelection', 'initialData', 'cleanupGrace']) {
  mutation(
    `the ${phase} deadline is never armed`,
    TimeoutManager.prototype,
    'arm',
    (original) =>
      function (this: TimeoutManager, record, armed, delayMs) {
        if (armed !== phase || delayMs === 0) original.call(this, record, armed, delayMs);
      },
  );
}

mutation(
  'deadlines are not disarmed at a change of phase',
  TimeoutManager.prototype,
  'disarm',
  () => () => {},
);

mutation('deadlines outlive their record', TimeoutManager.prototype, 'untrack', () => () => {});

mutation("a route's own deadlines are ignored", TimeoutManager.prototype, 'report', () => () => {});

mutation('the slot of an ended connection is kept', SecurityManager.prototype, 'ended', () => () => {});

mutation('a route is not counted', SecurityManager.prototype, 'holdRoute', () => () => {});

mutation('one ending in ten is not counted', Tally.prototype, 'terminate', (original) => {
  let calls = 0;
  return function (this: Tally, ...parameters) {
    if (++calls % 10 !== 0) original.apply(this, parameters);
  };
});

mutation('a record stays in the index', RecordIndex.prototype, 'remove', () => () => {});

mutation('what the audit finds is not healed', ConnectionManager.prototype, 'heal', () => () => {});

mutation('the audit goes on after the stop', SelfAudit.prototype, 'stop', () => () => {});

mutation('activity is not noted', JoinedPair.prototype, 'activity', () => () => {});

mutation(
  'half a close is taken for an ending',
  JoinedPair.prototype,
  'sideEnded',
  () =>
    function (this: JoinedPair) {
      this.finished();
    },
);

mutation('what came while dialing is lost', ClientBuffer.prototype, 'append', () => () => {});

mutation(
  'what came while dialing is kept without a copy',
  ClientBuffer.prototype,
  'append',
  () =>
    function (this: ClientBuffer, bytes) {
      this.adopt(bytes);
    },
);

mutation(
  'first bytes are written twice',
  ClientBuffer.prototype,
  'take',
  (original) =>
    function (this: ClientBuffer) {
      const chunks = original.call(this);
      return [...chunks.slice(0, 1), ...chunks];
    },
);

mutation(
  'first bytes are cut',
  GrowingBuffer.prototype,
  'append',
  (original) =>
    function (this: GrowingBuffer, bytes) {
      original.call(this, bytes.length > 100 ? bytes.subarray(1) : bytes);
    },
);

mutation('the grace does not destroy', SocketCloser.prototype, 'force', () => () => {});

mutateRelay('the relay loses a chunk', (listener) => {
  let chunks = 0;
  return {
    onData(bytes: Uint8Array, loan?: Loan) {
      if (++chunks % 5 !== 0) listener.onData(bytes, loan);
    },
  };
});

mutateRelay(
  'the relay passes a FIN on as soon as it is read, and forgets the rest',
  (listener, transport) => ({
    onEnd() {
      transport.destroy();
      listener.onEnd();
    },
  }),
);

mutateRelay('the relay does not pass a FIN on', () => ({ onEnd() {} }));

mutateRelay('the relay does not hear of a drain', () => ({ onDrain() {} }));

mutateRelay('the relay does not hear of an error', () => ({ onError() {} }));

mutation(
  'reading goes on while the other side cannot write',
  MemoryTransport.prototype,
  'pause',
  () => () => {},
);

mutation(
  'a loan is given back before its bytes are written',
  MemoryTransport.prototype,
  'write',
  (original) =>
    function (this: MemoryTransport, bytes, loan) {
      if (loan === undefined) return original.call(this, bytes);
      const early: Loan = {
        take() {
          loan.take();
          loan.giveBack();
        },
        giveBack() {},
      };
      return original.call(this, bytes, early);
    },
);

mutation(
  'a loan is not given back',
  MemoryTransport.prototype,
  'write',
  (original) =>
    function (this: MemoryTransport, bytes, loan) {
      if (loan === undefined) return original.call(this, bytes);
      return original.call(this, bytes, { take: () => loan.take(), giveBack() {} });
    },
);
