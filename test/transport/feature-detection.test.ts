import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import {
  detectTransportKind,
  hangUpLooksLikeEnd,
  hasNativeParts,
} from '../../src/transport/feature-detection.ts';
import { TransportFactory } from '../../src/transport/transport-factory.ts';
import { eventually, openSockets } from './rig.ts';

test('every supported Node can do the native transport, and looking opens nothing', async () => {
  const before = openSockets();
  assert.equal(detectTransportKind(), 'native');
  assert.equal(new TransportFactory({ clock: systemClock, relayBufferBytes: 0 }).kind, 'native');
  await eventually(() => openSockets() === before);
});

test('a socket that lacks any one part is not native', () => {
  const handle = { readStart() {}, readStop() {}, writeBuffer() {}, bytesWritten: 0, writeQueueSize: 0 };
  const whole = { _handle: handle, _server: null, server: null };
  const asSocket = (parts: object): net.Socket => parts as net.Socket;
  assert.equal(hasNativeParts(asSocket(whole)), true);
  for (const part of Object.keys(whole)) {
    assert.equal(hasNativeParts(asSocket({ ...whole, [part]: undefined })), part !== '_handle');
    const without = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== part));
    assert.equal(hasNativeParts(asSocket(without)), false, part);
  }
  for (const part of Object.keys(handle)) {
    assert.equal(
      hasNativeParts(asSocket({ ...whole, _handle: { ...handle, [part]: undefined } })),
      false,
      part,
    );
  }
  assert.equal(hasNativeParts(new net.Socket()), false);
});

test('the libuv releases that take a hang-up for FIN are known', () => {
  assert.equal(hangUpLooksLikeEnd('1.51.0'), true);
  assert.equal(hangUpLooksLikeEnd('1.52.0'), false);
  assert.equal(hangUpLooksLikeEnd('2.0.0'), false);
});
