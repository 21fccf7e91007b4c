import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { errorCode } from '../../src/base/errors.ts';
import { acceptOnHandle } from '../../src/transport/native-sockets.ts';
import { TransportFactory } from '../../src/transport/transport-factory.ts';
import {
  connections,
  eventually,
  onBothKinds,
  openSockets,
  pattern,
  Recorder,
  readAll,
  turns,
} from './rig.ts';

test(
  'a fresh transport is paused, and reads once it is resumed and has a listener',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const listener = new Recorder();
    client.write('hello');
    transport.setListener(listener);
    await turns(20);
    assert.equal(transport.bytesRead, 0);
    transport.resume();
    await eventually(() => transport.bytesRead === 5);
    assert.equal(listener.bytes.toString(), 'hello');
  }),
);

test(
  'without a listener nothing is read, and the next owner gets every byte and the FIN',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const first = new Recorder();
    const second = new Recorder();
    transport.setListener(first);
    transport.resume();
    client.write('one');
    await eventually(() => first.bytes.length === 3);
    transport.setListener(null);
    client.end('two');
    await turns(20);
    assert.equal(transport.bytesRead, 3);
    assert.equal(transport.readEnded, false);
    transport.setListener(second);
    await eventually(() => transport.readEnded);
    assert.equal(second.bytes.toString(), 'two');
    assert.deepEqual(first.events, []);
    assert.deepEqual(second.events, ['end']);
  }),
);

test(
  'a FIN that was read just before the pause is held back until somebody wants it',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const first = new Recorder();
    const second = new Recorder();
    const pauseOnce = Object.assign(new Recorder(), {
      onData() {
        transport.setListener(null);
      },
    });
    transport.setListener(pauseOnce);
    transport.resume();
    client.end('last words');
    await turns(30);
    assert.equal(transport.readEnded, false);
    transport.pause();
    transport.setListener(first);
    await turns(30);
    assert.deepEqual(first.events, []);
    transport.setListener(second);
    transport.resume();
    await eventually(() => second.heard('end'));
    assert.deepEqual(first.events, []);
  }),
);

test(
  'half a close goes both ways: FIN leaves reading open, and the socket closes after both',
  onBothKinds(async (rig) => {
    const { client, transport, server } = await rig.accepted();
    const listener = new Recorder();
    transport.setListener(listener);
    transport.resume();
    transport.write(Buffer.from('answer'));
    transport.end();
    assert.equal(transport.write(Buffer.from('too late')), false);
    assert.equal((await readAll(client)).toString(), 'answer');
    assert.equal(transport.writeFinished, true);
    assert.equal(transport.closed, false);
    client.end('still heard');
    await eventually(() => transport.closed);
    assert.equal(listener.bytes.toString(), 'still heard');
    assert.deepEqual(listener.events, ['finish', 'end', 'close']);
    assert.equal(await connections(server), 0);
  }),
);

// L22
test(
  'what the kernel does not take is pending, exactly counted, and drains when the peer reads on',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const listener = new Recorder();
    transport.setListener(listener);
    client.pause();
    const chunk = pattern(100_000, 1);
    let written = 0;
    let goOn = true;
    while (goOn) {
      goOn = transport.write(chunk);
      written += chunk.length;
      assert.equal(transport.bytesWritten + transport.pendingBytes, written);
    }
    assert.ok(transport.pendingBytes > 0);
    assert.ok(transport.bytesWritten > 0);
    await turns(20);
    const stalled = transport.bytesWritten;
    let received = 0;
    client.on('data', (bytes) => {
      received += bytes.length;
    });
    client.resume();
    await eventually(() => listener.heard('drain'));
    assert.ok(transport.bytesWritten > stalled);
    assert.equal(transport.pendingBytes, 0);
    assert.equal(transport.bytesWritten, written);
    await eventually(() => received === written);
    assert.deepEqual(listener.events, ['drain']);
  }),
);

test(
  'a write in mid-flight can be seen to make progress before it drains',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    transport.setListener(new Recorder());
    client.pause();
    transport.write(Buffer.alloc(32 * 1024 * 1024));
    await turns(20);
    const before = transport.bytesWritten;
    assert.ok(transport.pendingBytes > 0);
    client.on('data', () => {
      if (transport.bytesWritten > before) client.pause();
    });
    client.resume();
    await eventually(() => client.isPaused());
    assert.ok(transport.pendingBytes > 0);
    assert.equal(transport.bytesWritten + transport.pendingBytes, 32 * 1024 * 1024);
  }),
);

// L19
test(
  'reset sends RST, not FIN',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const listener = new Recorder();
    transport.setListener(listener);
    client.resume();
    transport.reset();
    const [error] = await once(client, 'error');
    assert.equal(errorCode(error), 'ECONNRESET');
    await eventually(() => transport.closed);
    assert.deepEqual(listener.events, ['close']);
    transport.reset();
    transport.destroy();
  }),
);

test(
  'a reset drops what is pending, and says so',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    transport.setListener(new Recorder());
    client.pause();
    let written = 0;
    do written += 100_000;
    while (transport.write(pattern(100_000, 2)));
    const taken = transport.bytesWritten;
    transport.reset();
    assert.equal(transport.pendingBytes, 0);
    assert.equal(transport.write(Buffer.from('x')), false);
    await eventually(() => transport.closed);
    assert.ok(taken < written);
    assert.equal(transport.bytesWritten, taken);
  }),
);

// L25
test(
  'an end and a reset in the same tick leave no descriptor behind',
  onBothKinds(async (rig) => {
    const before = openSockets();
    const { client, transport, server } = await rig.accepted();
    const listener = new Recorder();
    transport.setListener(listener);
    transport.write(Buffer.from('some bytes'));
    transport.end();
    transport.reset();
    transport.reset();
    await eventually(() => transport.closed);
    assert.deepEqual(listener.events.at(-1), 'close');
    assert.equal(listener.heard('error'), false);
    client.destroy();
    assert.equal(await connections(server), 0);
    // The listening socket stays.
    await eventually(() => openSockets() === before + 1);
  }),
);

// L25
test(
  'a reset while the FIN waits behind pending bytes frees the descriptor too',
  onBothKinds(async (rig) => {
    const { client, transport, server } = await rig.accepted();
    transport.setListener(new Recorder());
    client.pause();
    while (transport.write(pattern(100_000, 3)));
    transport.end();
    await turns(3);
    transport.reset();
    await eventually(() => transport.closed);
    assert.equal(await connections(server), 0);
  }),
);

test(
  'the peer’s RST is an error and then a close, in this order, once each',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    const listener = new Recorder();
    transport.setListener(listener);
    transport.resume();
    await turns(3);
    client.resetAndDestroy();
    await eventually(() => transport.closed);
    assert.deepEqual(listener.events, ['error', 'close']);
    assert.equal(errorCode(listener.error), 'ECONNRESET');
  }),
);

test(
  'an error without a listener is swallowed',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    transport.setListener(new Recorder());
    transport.resume();
    await turns(3);
    transport.setListener(null);
    client.resetAndDestroy();
    await turns(10);
    transport.write(Buffer.from('into the void'));
    await eventually(() => transport.closed);
  }),
);

test(
  'the server counts, limits and closes by the sockets that it accepted',
  onBothKinds(async (rig) => {
    const server = await rig.serve();
    server.maxConnections = 2;
    for (let round = 0; round < 5; round++) {
      const one = await rig.accepted(server);
      const two = await rig.accepted(server);
      assert.equal(await connections(server), 2);
      const surplus = rig.connect(server);
      const [drop] = await once(server, 'drop');
      assert.equal(drop.remotePort, surplus.localPort);
      surplus.destroy();
      one.transport.destroy();
      two.client.resetAndDestroy();
      two.transport.setListener(new Recorder());
      two.transport.resume();
      await eventually(() => one.transport.closed && two.transport.closed);
      assert.equal(await connections(server), 0);
    }
  }),
);

test('a failed accept is the server’s error, and a handle of another make is left to Node', async () => {
  const server = new TransportFactory({ clock: systemClock, relayBufferBytes: 0 }).createServer(() => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const failed = once(server, 'error');
  const { _handle: handle } = server as net.Server & { _handle?: { onconnection(status: number): void } };
  handle?.onconnection(-24);
  const [error] = await failed;
  assert.equal(errorCode(error), 'EMFILE');
  server.close();
  await once(server, 'close');
  assert.equal(
    acceptOnHandle(server, {} as never, () => {}),
    false,
  );
});

test(
  'addresses are those of both ends',
  onBothKinds(async (rig) => {
    const { client, transport } = await rig.accepted();
    assert.deepEqual(transport.peer, { ip: '127.0.0.1', port: client.localPort });
    assert.deepEqual(transport.local, { ip: '127.0.0.1', port: client.remotePort });
    const dialled = await rig.dialled();
    assert.deepEqual(dialled.transport.local, { ip: '127.0.0.1', port: dialled.target.remotePort });
    assert.deepEqual(dialled.transport.peer, { ip: '127.0.0.1', port: dialled.target.localPort });
  }),
);

// P6
test(
  'a client of a dual-stack server has its IPv4 address',
  onBothKinds(async (rig) => {
    const { transport } = await rig.accepted(await rig.serve('::'));
    assert.equal(transport.peer.ip, '127.0.0.1');
    assert.equal(transport.local.ip, '127.0.0.1');
  }),
);

test(
  'bytes written while connecting arrive in order',
  onBothKinds(async (rig) => {
    const server = await rig.target();
    const { port } = server.address() as net.AddressInfo;
    const { transport } = rig.factory.connectSocket({ ip: '127.0.0.1', port });
    const listener = new Recorder();
    transport.setListener(listener);
    transport.resume();
    const memory = Buffer.from('first ');
    transport.write(memory);
    memory.fill(0);
    transport.write(Buffer.from('second'));
    assert.equal(transport.pendingBytes, 12);
    transport.end();
    const [raw] = (await once(server, 'connection')) as [net.Socket];
    rig.keep(raw);
    assert.equal((await readAll(raw)).toString(), 'first second');
    raw.end('reply');
    await eventually(() => transport.closed);
    assert.equal(listener.bytes.toString(), 'reply');
    assert.equal(transport.bytesWritten, 12);
  }),
);

// L2
test(
  'a dial that fails is an error and a close, and a reset during the dial ends it',
  onBothKinds(async (rig) => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    server.close();
    await once(server, 'close');
    const listener = new Recorder();
    const { transport } = rig.factory.connectSocket({ ip: '127.0.0.1', port });
    transport.setListener(listener);
    await eventually(() => transport.closed);
    assert.deepEqual(listener.events, ['error', 'close']);
    const aborted = rig.factory.connectSocket({ ip: '127.0.0.1', port });
    aborted.transport.reset();
    await eventually(() => aborted.transport.closed);
  }),
);
