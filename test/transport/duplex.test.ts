import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { errorCode } from '../../src/base/errors.ts';
import { toDuplex } from '../../src/transport/duplex.ts';
import { eventually, onBothKinds, pattern, readAll, turns } from './rig.ts';

// L24
test(
  'first bytes come first, are copies, and wait for a slow handler',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const first = Buffer.from('first ');
    const stream = toDuplex(transport, first);
    first.fill(0);
    client.end('second');
    await turns(20);
    const chunks: Buffer[] = [];
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
    assert.equal(Buffer.concat(chunks).toString(), 'first second');
    stream.end('reply');
    assert.equal((await readAll(client)).toString(), 'reply');
    await eventually(() => transport.closed && stream.closed);
    assert.equal(stream.errored, null);
  }),
);

test(
  'a handler never sees a neighbour’s bytes through the memory of its own',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const stream = toDuplex(transport);
    client.write('mine');
    const [chunk] = (await once(stream, 'data')) as [Buffer];
    assert.equal(chunk.toString(), 'mine');
    assert.notEqual(chunk.buffer, rig.factory.readBuffers.shared.buffer);
    assert.ok(chunk.buffer.byteLength <= 64 * 1024);
    stream.destroy();
    await eventually(() => transport.closed);
  }),
);

test(
  'backpressure works both ways: a reader that stops stops the peer, a writer waits for the peer',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const stream = toDuplex(transport);
    const up = pattern(3_000_000, 1);
    client.write(up);
    await turns(50);
    assert.ok(transport.bytesRead < 1_000_000);
    const down = pattern(8_000_000, 2);
    let written = false;
    stream.write(down, () => {
      written = true;
    });
    await turns(20);
    assert.equal(written, false);
    const atClient: Buffer[] = [];
    client.on('data', (chunk: Buffer) => atClient.push(chunk));
    await eventually(() => written);
    stream.end();
    client.end();
    const read: Buffer[] = [];
    for await (const chunk of stream) read.push(chunk as Buffer);
    assert.ok(Buffer.concat(read).equals(up));
    await eventually(() => Buffer.concat(atClient).length === down.length);
    assert.ok(Buffer.concat(atClient).equals(down));
    await eventually(() => transport.closed);
  }),
);

test(
  'an end is half a close: what the peer sends afterwards still comes',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const stream = toDuplex(transport);
    stream.end('question');
    assert.equal((await readAll(client)).toString(), 'question');
    client.end('answer');
    const [chunk] = (await once(stream, 'data')) as [Buffer];
    assert.equal(chunk.toString(), 'answer');
    await eventually(() => transport.closed && stream.closed);
  }),
);

test(
  'destroy with an error resets, so that a truncation never looks like success',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    client.resume();
    toDuplex(transport).destroy(new Error('the handler gave up'));
    const [error] = await once(client, 'error');
    assert.equal(errorCode(error), 'ECONNRESET');
    await eventually(() => transport.closed);
  }),
);

test(
  'destroy without an error lets what was written go out, then sends FIN and closes',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const stream = toDuplex(transport);
    await new Promise((resolve) => stream.write('farewell', resolve));
    client.write('unread');
    stream.destroy();
    assert.equal((await readAll(client)).toString(), 'farewell');
    await eventually(() => transport.closed);
  }),
);

test(
  'destroy with written bytes that never reached the transport resets',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const stream = toDuplex(transport);
    stream.write(pattern(8_000_000, 3));
    stream.write('never passed on');
    let failure: unknown;
    stream.write('nor this', (error) => {
      failure = error;
    });
    await turns(3);
    stream.destroy();
    await eventually(() => transport.closed);
    assert.ok(failure instanceof Error);
    client.destroy();
  }),
);

// L24
test(
  'a connection that fails under a handler that listens to nothing ends only itself',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const stream = toDuplex(transport);
    stream.resume();
    await turns(3);
    client.resetAndDestroy();
    await eventually(() => stream.closed && transport.closed);
    assert.equal(errorCode(stream.errored), 'ECONNRESET');
  }),
);

test(
  'a transport that closes under a waiting write fails it',
  onBothKinds(async (rig) => {
    const { transport } = await rig.accepted();
    const stream = toDuplex(transport);
    let failure: unknown;
    stream.write(pattern(16_000_000, 4), (error) => {
      failure = error;
    });
    await turns(3);
    transport.destroy();
    await eventually(() => stream.closed);
    assert.equal(errorCode(failure), 'connection-closed');
    assert.equal(errorCode(stream.errored), 'connection-closed');
  }),
);
