import assert from 'node:assert/strict';
import { once } from 'node:events';
import type net from 'node:net';
import { test } from 'node:test';
import type { Transport, TransportListener } from '../../src/base/transport.ts';
import { type BulkReader, bulkBufferBytes, ReadBuffers } from '../../src/transport/read-buffers.ts';
import { eventually, kinds, onBothKinds, pattern, Recorder, type Relayed, Rig, turns } from './rig.ts';

const idleReader: BulkReader = { loanReturned() {} };

test('bulk buffers stay within the budget, and a smaller budget takes effect as they come back', () => {
  const buffers = new ReadBuffers(3 * bulkBufferBytes);
  const taken = [1, 2, 3, 4].map(() => buffers.acquire(idleReader));
  assert.deepEqual(
    taken.map((buffer) => buffer !== null),
    [true, true, true, false],
  );
  buffers.setBudget(bulkBufferBytes);
  for (const buffer of taken) buffer?.release();
  assert.equal(buffers.buffersInUse, 0);
  assert.notEqual(buffers.acquire(idleReader), null);
  assert.equal(buffers.acquire(idleReader), null);
  buffers.setBudget(0);
  assert.notEqual(buffers.acquire(idleReader), null);
});

test('a lent buffer goes back to the pool only when reader and write have both let go', () => {
  for (const readerFirst of [true, false]) {
    const buffers = new ReadBuffers(0);
    const buffer = buffers.acquire(idleReader);
    assert.ok(buffer);
    buffer.take();
    if (readerFirst) buffer.release();
    else buffer.giveBack();
    assert.equal(buffers.buffersInUse, 1);
    if (readerFirst) buffer.giveBack();
    else buffer.release();
    assert.equal(buffers.buffersInUse, 0);
    buffer.giveBack();
    assert.equal(buffers.buffersInUse, 0);
  }
});

test('what was installed is for the next question only', () => {
  const buffers = new ReadBuffers(0);
  const own = new Uint8Array(8);
  assert.equal(buffers.nextBuffer(), buffers.shared);
  buffers.install(own, buffers.shared);
  assert.equal(buffers.nextBuffer(), own);
  assert.equal(buffers.nextBuffer(), buffers.shared);
  buffers.install(own, own);
  assert.equal(buffers.nextBuffer(), undefined, 'nothing is to change');
  assert.equal(buffers.nextBuffer(), buffers.shared, 'a new socket has no buffer before');
});

/** Collects what a plain socket reads. */
function collect(socket: net.Socket): { bytes(): Buffer; length: number } {
  const chunks: Buffer[] = [];
  const collected = { length: 0, bytes: () => Buffer.concat(chunks) };
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    collected.length += chunk.length;
  });
  socket.resume();
  return collected;
}

/**
 * Keeps a second connection busy with its own pattern, and checks all of it at the end. A short
 * read follows, so that it gives its buffer up.
 */
async function busy(pair: Relayed, seed: number): Promise<void> {
  const bytes = pattern(4_000_000, seed);
  const got = collect(pair.target);
  pair.client.write(bytes.subarray(0, -100));
  await eventually(() => got.length === bytes.length - 100);
  pair.client.write(bytes.subarray(-100));
  await eventually(() => got.length === bytes.length);
  assert.ok(got.bytes().equals(bytes), 'the busy connection received only its own bytes');
}

// L26
test(
  'a connection that became idle gives its buffer up, and nothing of another appears in it',
  onBothKinds(async (rig) => {
    const quiet = await rig.relayed();
    const other = await rig.relayed();
    const got = collect(quiet.target);
    const sent: Buffer[] = [];
    for (let round = 0; round < 5; round++) {
      const burst = pattern(1_500_000, round);
      const word = pattern(700, round + 50);
      sent.push(burst, word);
      const length = sent.reduce((sum, part) => sum + part.length, 0);
      quiet.client.write(burst);
      await eventually(() => got.length === length - word.length);
      quiet.client.write(word);
      await eventually(() => got.length === length);
      assert.equal(rig.factory.readBuffers.buffersInUse, 0);
      await busy(other, 100 + round);
    }
    assert.ok(got.bytes().equals(Buffer.concat(sent)));
  }),
);

/** Dials when the first bytes come, and passes everything on from the first moment. */
class DialOnData extends Recorder {
  readonly dial: () => Transport;
  target: Transport | undefined;

  constructor(dial: () => Transport) {
    super();
    this.dial = dial;
  }

  override onData(...[bytes, loan]: Parameters<TransportListener['onData']>): void {
    this.target ??= this.dial();
    this.target.write(bytes, loan);
  }
}

// L26
test(
  'bytes that wait for a slow dial are not touched by what others read meanwhile',
  onBothKinds(async (rig) => {
    const other = await rig.relayed();
    const { client, transport } = await rig.accepted();
    const server = await rig.target();
    const { port } = server.address() as net.AddressInfo;
    const listener = new DialOnData(() => rig.factory.connectSocket({ ip: '127.0.0.1', port }).transport);
    transport.setListener(listener);
    const bytes = pattern(300_000, 9);
    client.write(bytes);
    other.client.write(pattern(300_000, 10));
    transport.resume();
    const [raw] = (await once(server, 'connection')) as [net.Socket];
    const got = collect(rig.keep(raw));
    await eventually(() => got.length === bytes.length);
    assert.ok(got.bytes().equals(bytes));
    listener.target?.destroy();
    await eventually(() => listener.target?.closed === true);
  }),
);

// L26
test(
  'a destination that is closed in mid-write gives the buffer back, and others are untouched',
  onBothKinds(async (rig) => {
    for (const cut of ['reset', 'destroy'] as const) {
      const stalled = await rig.relayed();
      const other = await rig.relayed();
      stalled.client.write(pattern(20_000_000, 20));
      await eventually(() => stalled.targetSide.pendingBytes > 0);
      await turns(10);
      await busy(other, 21);
      stalled.targetSide[cut]();
      await busy(other, 22);
      await eventually(() => stalled.targetSide.closed);
      stalled.clientSide[cut]();
      await eventually(() => stalled.clientSide.closed);
      await busy(other, 23);
    }
  }),
);

// L26
test(
  'a source that is closed in mid-write leaves its last bytes to the write that has them',
  onBothKinds(async (rig) => {
    const stalled = await rig.relayed();
    const other = await rig.relayed();
    const bytes = pattern(20_000_000, 30);
    stalled.client.write(bytes);
    await eventually(() => stalled.targetSide.pendingBytes > 0);
    await turns(10);
    stalled.relay.stop();
    stalled.clientSide.destroy();
    await eventually(() => stalled.clientSide.closed);
    for (const seed of [31, 32, 33]) await busy(other, seed);
    const got = collect(stalled.target);
    await eventually(() => stalled.targetSide.pendingBytes === 0);
    const total = stalled.clientSide.bytesRead;
    await eventually(() => got.length === total);
    assert.ok(got.bytes().equals(bytes.subarray(0, total)));
  }),
);

test('without a budget to spare transfers go on through the shared buffer', async () => {
  const rig = new Rig('native', 1);
  const pair = await rig.relayed();
  await busy(pair, 40);
  assert.equal(rig.factory.readBuffers.buffersInUse, 0);
  await rig.close();
});

// L26
test('bytes that were copied for a stalled write keep their place while others write', async () => {
  for (const kind of kinds) {
    const rig = new Rig(kind, 1);
    const stalled = await Promise.all([1, 2, 3].map(() => rig.relayed()));
    const sent = stalled.map((_, index) => pattern(6_000_000, 60 + index));
    for (const [index, pair] of stalled.entries()) pair.client.write(sent[index] as Buffer);
    await eventually(() => stalled.every((pair) => pair.targetSide.pendingBytes > 0));
    const other = await rig.relayed();
    await busy(other, 70);
    const got = stalled.map((pair) => collect(pair.target));
    await busy(other, 71);
    await eventually(() => got.every((collected) => collected.length === 6_000_000));
    for (const [index, collected] of got.entries())
      assert.ok(collected.bytes().equals(sent[index] as Buffer), `connection ${index}`);
    await rig.close();
  }
});

// L26
test('while a write has the buffer nothing is read into it, even if the owner does not pause', async () => {
  const rig = new Rig('native');
  const { client, transport } = await rig.accepted();
  const { target, transport: destination } = await rig.dialled();
  destination.setListener(new Recorder());
  transport.setListener(new DialOnData(() => destination));
  transport.resume();
  const bytes = pattern(20_000_000, 80);
  client.write(bytes);
  await eventually(() => destination.pendingBytes > 0);
  await turns(50);
  assert.ok(transport.bytesRead < bytes.length);
  const got = collect(target);
  await eventually(() => got.length === bytes.length);
  assert.ok(got.bytes().equals(bytes));
  await rig.close();
});
