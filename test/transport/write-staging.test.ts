import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxStagedBytes, type StagedOwner, StagedWrites } from '../../src/transport/staged-writes.ts';
import { slabBytes, WriteStaging } from '../../src/transport/write-staging.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { eventually, onBothKinds, pattern, Recorder, turns } from './rig.ts';

/** Takes what is committed, and notes what is written. */
class Owner implements StagedOwner {
  readonly staged: StagedWrites;
  readonly written: string[] = [];
  /** What was written last is needed until somebody says otherwise. */
  keeps = false;
  kept: Buffer | null = null;

  constructor(staging: WriteStaging) {
    this.staged = new StagedWrites(staging, this);
  }

  committed(): boolean {
    this.staged.accept();
    return true;
  }

  writeStaged(bytes: Buffer): boolean {
    this.written.push(bytes.toString('latin1'));
    if (this.keeps) this.kept = bytes;
    return !this.keeps;
  }

  say(text: string): void {
    this.staged.append(Buffer.from(text));
    this.staged.commit();
  }
}

/** Lets the turn of the loop end. */
function endTurn(clock: VirtualClock): void {
  clock.advance(0);
}

function stage(): { clock: VirtualClock; staging: WriteStaging; one: Owner; other: Owner } {
  const clock = new VirtualClock();
  const staging = new WriteStaging(clock);
  return { clock, staging, one: new Owner(staging), other: new Owner(staging) };
}

test('what is written within a turn goes out as one, when the turn ends', () => {
  const { clock, one, other } = stage();
  one.say('a');
  one.say('b');
  other.say('x');
  assert.deepEqual([one.written, other.written], [[], []]);
  endTurn(clock);
  assert.deepEqual([one.written, other.written], [['ab'], ['x']]);
  endTurn(clock);
  one.say('c');
  endTurn(clock);
  assert.deepEqual(one.written, ['ab', 'c']);
});

test('bytes behind somebody else’s are a write of their own, and order stays', () => {
  const { clock, one, other } = stage();
  one.say('a');
  other.say('x');
  one.say('b');
  assert.deepEqual(one.written, ['a']);
  endTurn(clock);
  assert.deepEqual([one.written, other.written], [['a', 'b'], ['x']]);
});

test('the next turn gets the same place, but never one that a write in flight needs', () => {
  const { clock, one, other } = stage();
  one.keeps = true;
  one.say('kept');
  endTurn(clock);
  for (let turn = 0; turn < 3; turn++) {
    other.say(`turn ${turn}`);
    endTurn(clock);
  }
  assert.equal(one.kept?.toString(), 'kept');
  assert.deepEqual(other.written, ['turn 0', 'turn 1', 'turn 2']);
});

test('where the memory is full everybody’s bytes go out at once, and nothing is mixed up', () => {
  const { clock, staging, one, other } = stage();
  const memory = staging.memory;
  const long = 'x'.repeat(maxStagedBytes);
  for (let size = 0; size <= slabBytes; size += maxStagedBytes) one.say(long);
  assert.equal(one.written.length, 1);
  assert.equal(staging.memory, memory, 'it is used again');
  one.keeps = true;
  other.say('y');
  for (let size = 0; size <= slabBytes; size += maxStagedBytes) one.say(long);
  endTurn(clock);
  assert.notEqual(staging.memory, memory, 'all of it is needed still');
  assert.deepEqual(other.written, ['y']);
  assert.ok(one.written.join('') === long.repeat(2 * (slabBytes / maxStagedBytes + 1)));
});

test('more than the memory has is put together all the same', () => {
  const { clock, staging, one } = stage();
  one.staged.append(Buffer.from('head'));
  one.staged.append(Buffer.alloc(2 * slabBytes, 'x'));
  one.staged.commit();
  endTurn(clock);
  assert.equal(one.written.join(''), `head${'x'.repeat(2 * slabBytes)}`);
  one.say('small');
  assert.equal(staging.memory.length, slabBytes);
});

test('what was begun and not committed is never written', () => {
  const { clock, one, other } = stage();
  one.staged.append(Buffer.from('half a head'));
  endTurn(clock);
  other.say('x');
  one.say('b');
  endTurn(clock);
  assert.deepEqual([one.written, other.written], [['b'], ['x']]);
});

test(
  'whatever ends a transport sends before it what was written in the same turn',
  onBothKinds(async (rig) => {
    for (const ending of ['end', 'reset', 'destroy'] as const) {
      const { client, transport } = await rig.accepted();
      transport.setListener(new Recorder());
      const received: Buffer[] = [];
      client.on('data', (bytes: Buffer) => received.push(bytes));
      transport.write(pattern(1000, 1));
      transport.write(pattern(1000, 2));
      transport[ending]();
      assert.equal(transport.write(Buffer.from('too late')), false);
      await eventually(() => client.destroyed || client.readableEnded);
      // A RST may overtake what is on its way.
      if (ending !== 'reset') assert.equal(Buffer.concat(received).length, 2000, ending);
    }
  }),
);

test(
  'a transport that is closed in the same turn writes nothing, and the others do',
  onBothKinds(async (rig) => {
    const [one, other] = [await rig.accepted(), await rig.accepted()];
    const received: Buffer[] = [];
    other.client.on('data', (bytes: Buffer) => received.push(bytes));
    for (const { transport } of [one, other]) transport.setListener(new Recorder());
    one.transport.write(pattern(500, 1));
    other.transport.write(pattern(500, 2));
    one.transport.stream.destroy();
    await eventually(() => Buffer.concat(received).length === 500);
    assert.ok(Buffer.concat(received).equals(pattern(500, 2)));
    await turns(3);
    assert.equal(one.transport.pendingBytes, 0);
  }),
);

test(
  'small and large writes to one transport keep their order',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    transport.setListener(new Recorder());
    const received: Buffer[] = [];
    client.on('data', (bytes: Buffer) => received.push(bytes));
    const sizes = [1, maxStagedBytes, maxStagedBytes + 1, 10, 70_000, 300_000, 5, 1, maxStagedBytes];
    const parts = sizes.map((size, seed) => pattern(size, seed));
    for (const part of parts) {
      const memory = Buffer.from(part);
      transport.write(memory);
      memory.fill(0);
    }
    const sent = Buffer.concat(parts);
    await eventually(() => Buffer.concat(received).length === sent.length);
    assert.ok(Buffer.concat(received).equals(sent));
    assert.equal(transport.bytesWritten, sent.length);
  }),
);
