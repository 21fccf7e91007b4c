import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type net from 'node:net';
import { test } from 'node:test';
import { errorCode } from '../../src/base/errors.ts';
import { hangUpLooksLikeEnd } from '../../src/transport/feature-detection.ts';
import { relay } from '../../src/transport/relay.ts';
import {
  eventually,
  kinds,
  onBothKinds,
  pattern,
  type Relayed,
  RelayLog,
  Rig,
  readAll,
  turns,
} from './rig.ts';

test(
  'bytes cross both ways, and the answer to a client that has ended comes whole',
  onBothKinds(async (rig) => {
    // L4
    const { client, target, log, clientSide, targetSide } = await rig.relayed();
    client.end('question');
    assert.equal((await readAll(target)).toString(), 'question');
    assert.deepEqual(log.ended, ['client']);
    assert.equal(log.finishes, 0);
    target.write('a long ');
    target.end('answer');
    assert.equal((await readAll(client)).toString(), 'a long answer');
    await eventually(() => clientSide.closed && targetSide.closed);
    assert.deepEqual(log.ended, ['client', 'target']);
    assert.deepEqual(log.failed, []);
    assert.equal(log.finishes, 1);
  }),
);

test(
  'a target that ends first leaves the other direction open',
  onBothKinds(async (rig) => {
    const { client, target, log } = await rig.relayed();
    target.end('greeting');
    assert.equal((await readAll(client)).toString(), 'greeting');
    client.end('and still');
    assert.equal((await readAll(target)).toString(), 'and still');
    await eventually(() => log.finishes === 1);
    assert.deepEqual(log.ended, ['target', 'client']);
    assert.deepEqual(log.failed, []);
  }),
);

// L5, M1
test(
  'fifty megabytes from a target that ends at once reach a slow reader, and memory stays bounded',
  onBothKinds(async (rig) => {
    const total = 50 * 1024 * 1024;
    const { client, clientSide, target, targetSide, log } = await rig.relayed();
    client.pause();
    target.end(Buffer.alloc(total, 'fifty'));
    client.end();
    target.resume();
    await eventually(() => clientSide.pendingBytes > 0);
    await turns(50);
    let received = 0;
    let most = 0;
    client.on('data', (bytes: Buffer) => {
      most = Math.max(most, clientSide.pendingBytes);
      received += bytes.length;
      if (received % 7 !== 0) return;
      client.pause();
      setImmediate(() => client.resume());
    });
    client.resume();
    await once(client, 'end');
    assert.equal(received, total);
    assert.ok(most <= 512 * 1024, `${most} bytes were pending`);
    await eventually(() => log.finishes === 1);
    assert.deepEqual(log.failed, []);
    assert.equal(clientSide.bytesWritten, total);
    assert.equal(targetSide.bytesRead, total);
    assert.equal(clientSide.bytesRead, 0);
  }),
);

// L22
test(
  'a reader that never reads stops the sender: what is pending is bounded, visible and stands still',
  onBothKinds(async (rig) => {
    const { client, clientSide, target, targetSide } = await rig.relayed();
    client.pause();
    const chunk = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 64; i++) target.write(chunk);
    await eventually(() => clientSide.pendingBytes > 0);
    await turns(100);
    const taken = clientSide.bytesWritten;
    assert.ok(clientSide.pendingBytes > 0);
    assert.ok(clientSide.pendingBytes <= 512 * 1024);
    assert.equal(targetSide.bytesRead, taken + clientSide.pendingBytes);
    await turns(100);
    assert.equal(clientSide.bytesWritten, taken);
    clientSide.reset();
    targetSide.reset();
    await eventually(() => clientSide.closed && targetSide.closed);
  }),
);

// L19
test(
  'a RST from either side is a failure of that side and nothing else',
  onBothKinds(async (rig) => {
    for (const side of ['client', 'target'] as const) {
      const relayed = await rig.relayed();
      await turns(3);
      relayed[side].resetAndDestroy();
      await eventually(() => relayed.log.failed.length === 1);
      assert.equal(relayed.log.failed[0]?.side, side);
      assert.equal(errorCode(relayed.log.failed[0]?.error), 'ECONNRESET');
      assert.deepEqual(relayed.log.ended, []);
      relayed.relay.stop();
      relayed.clientSide.reset();
      relayed.targetSide.reset();
    }
  }),
);

// L19
test('a RST right behind data is never taken for FIN, before our own FIN and after it', async () => {
  // Only reads under our own control can look twice, so the portable kind cannot after its FIN.
  const able = kinds.filter((kind) => kind === 'native' || !hangUpLooksLikeEnd(process.versions.uv));
  for (const kind of able) {
    for (const afterFin of [false, true]) {
      const rig = new Rig(kind);
      const { client, target, targetSide, clientSide, log } = await rig.relayed();
      if (afterFin) {
        client.end();
        await eventually(() => targetSide.writeFinished);
      }
      target.write(pattern(1000, 4));
      target.resetAndDestroy();
      await eventually(() => log.failed.length > 0);
      assert.equal(log.failed[0]?.side, 'target');
      assert.equal(log.ended.includes('target'), false);
      assert.equal(targetSide.bytesRead, 1000);
      clientSide.reset();
      targetSide.reset();
      await eventually(() => clientSide.closed && targetSide.closed);
      await rig.close();
    }
  }
});

test(
  'after stop nothing is told, nothing is read, and it may be stopped again',
  onBothKinds(async (rig) => {
    const { client, target, clientSide, log, relay } = await rig.relayed();
    client.write('before');
    await once(target, 'readable');
    relay.stop();
    relay.stop();
    const told = log.activities;
    client.write('after');
    target.resetAndDestroy();
    await turns(30);
    assert.equal(log.activities, told);
    assert.deepEqual(log.failed, []);
    assert.equal(clientSide.bytesRead, 6);
  }),
);

test(
  'a FIN that was read before the relay began is mirrored',
  onBothKinds(async (rig) => {
    const { client, transport: clientSide } = await rig.accepted();
    const first = { onData() {}, onEnd() {}, onDrain() {}, onFinish() {}, onError() {}, onClose() {} };
    clientSide.setListener(first);
    clientSide.resume();
    client.end('early');
    await eventually(() => clientSide.readEnded);
    const { target, transport: targetSide } = await rig.dialled();
    const log = new RelayLog();
    targetSide.write(Buffer.from('early'));
    relay(clientSide, targetSide, log);
    assert.equal((await readAll(target)).toString(), 'early');
    target.end('late');
    assert.equal((await readAll(client)).toString(), 'late');
    await eventually(() => log.finishes === 1);
    assert.deepEqual(log.ended, ['target']);
  }),
);

/** Writes `bytes` in random pieces with random pauses, then ends. */
async function send(socket: net.Socket, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const piece = 1 + Math.floor(Math.random() ** 4 * 600_000);
    if (!socket.write(bytes.subarray(at, at + piece))) await once(socket, 'drain');
    at += piece;
    if (Math.random() < 0.1) await turns(1 + Math.floor(Math.random() * 3));
  }
  socket.end();
}

/** Reads to the end, pausing at random. */
async function receive(socket: net.Socket): Promise<string> {
  const hash = createHash('sha1');
  socket.on('data', (bytes: Buffer) => {
    hash.update(bytes);
    if (Math.random() > 0.2) return;
    socket.pause();
    setImmediate(() => socket.resume());
  });
  socket.resume();
  await once(socket, 'end');
  return hash.digest('hex');
}

const digest = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex');

async function exchange(relayed: Relayed, up: Buffer, down: Buffer): Promise<void> {
  const { client, target, clientSide, targetSide, log } = relayed;
  const [atTarget, atClient] = await Promise.all([
    receive(target),
    receive(client),
    send(client, up),
    send(target, down),
  ]);
  assert.equal(atTarget, digest(up));
  assert.equal(atClient, digest(down));
  await eventually(() => log.finishes === 1 && clientSide.closed && targetSide.closed);
  assert.deepEqual(log.failed, []);
  assert.deepEqual(
    [clientSide.bytesRead, targetSide.bytesWritten, targetSide.bytesRead, clientSide.bytesWritten],
    [up.length, up.length, down.length, down.length],
  );
}

// L26, M1
test('hundreds of transfers of random size both ways at once arrive whole', async () => {
  const source = randomBytes(8 * 1024 * 1024);
  for (const kind of kinds) {
    // Fewer buffers than bulk transfers, so that they change hands all the time.
    const rig = new Rig(kind, 1024 * 1024);
    for (let round = 0; round < 15; round++) {
      const pairs = await Promise.all(Array.from({ length: 10 }, () => rig.relayed()));
      await Promise.all(
        pairs.map((pair) => {
          const some = () => {
            const start = Math.floor(Math.random() * source.length);
            return source.subarray(start, start + Math.floor(Math.random() ** 4 * 2_000_000));
          };
          return exchange(pair, some(), some());
        }),
      );
    }
    await rig.close();
  }
});
