import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCode } from '../../src/base/errors.ts';
import type { Loan } from '../../src/base/transport.ts';
import { HandleWrites, writeError } from '../../src/transport/handle-writes.ts';
import { eventually, onBothKinds, pattern, Recorder, readAll } from './rig.ts';

const longMessage = 4_000_000;

test('this Node’s handles can be written to past their sockets', () => {
  assert.ok(HandleWrites.detect() !== null);
});

test('what was queued is told to its owner, with its status; what was not is told to nobody', () => {
  const writes = HandleWrites.detect() as HandleWrites;
  const told: number[] = [];
  const owner = { wrote: (status: number) => void told.push(status) };
  const bytes = Buffer.from('x');
  assert.equal(writes.write({ writeBuffer: () => 0 }, bytes, owner), 0);
  assert.equal(writes.write({ writeBuffer: () => -32 }, bytes, owner), -32);
  assert.deepEqual(told, []);
});

test('an error of a write is what Node’s own streams make of it', () => {
  const error = writeError(-32);
  assert.equal(errorCode(error), 'EPIPE');
  assert.equal(error.message, 'write EPIPE');
  assert.equal((error as NodeJS.ErrnoException).syscall, 'write');
});

test(
  'what is written behind bytes that the kernel has not taken follows them, and so does FIN',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const listener = new Recorder();
    transport.setListener(listener);
    const parts = [longMessage, 10, 70_000, 1].map((length, seed) => pattern(length, seed));
    for (const [index, part] of parts.entries()) {
      // Memory that is read into again right after the call.
      const memory = Buffer.from(part);
      assert.equal(transport.write(memory), false, `part ${index}`);
      memory.fill(0);
    }
    transport.end();
    assert.ok(transport.pendingBytes > 0);
    assert.equal(transport.writeFinished, false);
    const sent = Buffer.concat(parts);
    assert.ok((await readAll(client)).equals(sent));
    await eventually(() => transport.writeFinished);
    assert.equal(transport.bytesWritten, sent.length);
    assert.deepEqual(listener.events, ['drain', 'finish']);
  }),
);

test(
  'between two writes that were queued the writer hears of each drain, and the order stays',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const received = readAll(client);
    const listener = new Recorder();
    transport.setListener(listener);
    const parts = Array.from({ length: 6 }, (_, seed) => pattern(seed % 2 === 0 ? longMessage : 100, seed));
    for (const part of parts) {
      const drains = listener.events.length;
      if (!transport.write(part)) await eventually(() => listener.events.length > drains);
      await eventually(() => transport.pendingBytes === 0);
    }
    transport.end();
    assert.ok((await received).equals(Buffer.concat(parts)));
  }),
);

// L22
test(
  'a peer that resets while bytes are pending ends the transport with its error',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const listener = new Recorder();
    transport.setListener(listener);
    client.pause();
    transport.write(pattern(longMessage, 1));
    assert.ok(transport.pendingBytes > 0);
    client.resetAndDestroy();
    await eventually(() => transport.closed);
    assert.deepEqual(listener.events, ['error', 'close']);
    assert.match(errorCode(listener.error) ?? '', /^(ECONNRESET|EPIPE)$/);
    assert.equal(transport.pendingBytes, 0);
  }),
);

/** Counts what is done with it. */
class CountedLoan implements Loan {
  taken = 0;
  returned = 0;

  take(): void {
    this.taken++;
  }

  giveBack(): void {
    this.returned++;
  }
}

test(
  'memory that was lent comes back once, written or with the close; behind it nothing is borrowed',
  onBothKinds(async (rig) => {
    for (const ending of ['read', 'destroy'] as const) {
      const { client, transport } = await rig.accepted();
      transport.setListener(new Recorder());
      client.pause();
      const [loan, late] = [new CountedLoan(), new CountedLoan()];
      transport.write(pattern(longMessage, 1), loan);
      transport.write(pattern(100, 2), late);
      assert.equal(loan.returned + late.taken, 0);
      if (ending === 'read') client.resume();
      else transport.destroy();
      await eventually(() => (ending === 'read' ? transport.pendingBytes === 0 : transport.closed));
      await eventually(() => loan.returned === loan.taken, `the loan comes back: ${ending}`);
    }
  }),
);
