import assert from 'node:assert/strict';
import { once } from 'node:events';
import type net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import { connections, eventually, onBothKinds, pattern, Recorder, type Rig } from './rig.ts';

/** TLS with a pre-shared key: real handshakes without a certificate. */
const ciphers = 'PSK-AES128-GCM-SHA256';
const key = Buffer.alloc(16, 7);
const keyed = { ciphers, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

function keyedClient(socket: net.Socket): tls.TLSSocket {
  const pskCallback = () => ({ psk: key, identity: 'test' });
  return tls.connect({ ...keyed, socket, pskCallback, checkServerIdentity: () => undefined });
}

async function handshake(rig: Rig, takeFirst: boolean) {
  const secure = tls.createServer({ ...keyed, pskCallback: () => key, pskIdentityHint: 'hint' });
  const { client, transport, server } = await rig.accepted();
  const listener = new Recorder();
  transport.setListener(listener);
  const encrypted = keyedClient(client);
  encrypted.on('error', () => {});
  if (takeFirst) {
    transport.resume();
    await eventually(() => listener.bytes.length > 0);
  }
  const inside = once(secure, 'secureConnection');
  const socket = transport.handOver(listener.bytes);
  secure.emit('connection', socket);
  const [[decrypted]] = (await Promise.all([inside, once(encrypted, 'secureConnect')])) as [
    [tls.TLSSocket],
    unknown,
  ];
  decrypted.on('error', () => {});
  return { client, encrypted, decrypted, transport, server };
}

// M1
test(
  'a socket goes to a TLS server with the hello that was read, and every byte is still counted',
  onBothKinds(async (rig) => {
    const { client, encrypted, decrypted, transport, server } = await handshake(rig, true);
    const up = pattern(1_000_000, 1);
    const received: Buffer[] = [];
    decrypted.on('data', (chunk: Buffer) => received.push(chunk));
    decrypted.on('end', () => decrypted.end('bye'));
    encrypted.end(up);
    let answer = '';
    for await (const chunk of encrypted) answer += (chunk as Buffer).toString();
    assert.equal(answer, 'bye');
    assert.ok(Buffer.concat(received).equals(up));
    await eventually(() => transport.closed);
    assert.equal(transport.bytesRead, client.bytesWritten);
    assert.equal(transport.bytesWritten, client.bytesRead);
    assert.equal(await connections(server), 0);
  }),
);

test(
  'a socket that was never read can be handed over too',
  onBothKinds(async (rig) => {
    const { encrypted, decrypted, transport } = await handshake(rig, false);
    decrypted.write('hello');
    const [chunk] = (await once(encrypted, 'data')) as [Buffer];
    assert.equal(chunk.toString(), 'hello');
    decrypted.destroy();
    await eventually(() => transport.closed);
  }),
);

test(
  'after the hand-over the transport writes nothing, but can reset, and tells its next owner of the close',
  onBothKinds(async (rig) => {
    const { encrypted, transport } = await handshake(rig, true);
    const owner = new Recorder();
    transport.setListener(owner);
    assert.equal(transport.write(Buffer.from('in clear text')), false);
    encrypted.resume();
    transport.reset();
    await eventually(() => transport.closed);
    await eventually(() => encrypted.closed);
    assert.equal(owner.events.at(-1), 'close');
    assert.deepEqual(owner.chunks, []);
  }),
);
