import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientPreface } from '../../../src/network-proxy/http2/frames.ts';
import { Http2Server } from '../../../src/network-proxy/http2/http2-server.ts';
import { memoryPair } from '../../../src/transport/memory-transport.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { forward, MemoryStage, routeTo, target } from '../stage.ts';
import { frame, getRequest, plainHead } from './stage.ts';

// L26
test('pieces for several backends that came in one read keep nothing of its memory', () => {
  const clock = new VirtualClock();
  const route = routeTo(forward([target(80)]));
  const stage = new MemoryStage(clock, { route, wire: { windowBytes: 1000 } });
  const { manager, deadlines, forwarder } = stage.core;
  const server = new Http2Server({ clock, manager, deadlines });
  const [client, near] = memoryPair({ clock, windowBytes: 65_536 });
  const record = manager.createConnection(near, { localPort: 80, timeouts: route.timeouts });
  manager.transition(record, 'routing');
  manager.transition(record, 'handed-over');
  server.serve(record, near, {
    ...{ tls: false, firstBytes: new Uint8Array(0), limits: { headerBytes: 65_536 } },
    ...{ onRequest: forwarder.take, onRefused: forwarder.refused },
  });
  const post = plainHead([[':method', 'POST'], ...getRequest.slice(1), ['content-length', '9000']]);
  client.write(
    Buffer.concat([clientPreface, frame(4, 0, 0), ...[1, 3, 5].map((id) => frame(1, 4, id, post))]),
  );
  clock.advance(100);
  assert.equal(stage.dialled.length, 3);
  const heard = stage.dialled.map((backend) => {
    const parts: Buffer[] = [];
    backend.setListener({
      onData: (bytes) => parts.push(Buffer.from(bytes)),
      ...{ onEnd() {}, onDrain() {}, onFinish() {}, onError() {}, onClose() {} },
    });
    return parts;
  });
  client.write(Buffer.concat([1, 3, 5].map((id) => frame(0, 1, id, Buffer.alloc(9000, id)))));
  clock.advance(100);
  for (const backend of stage.dialled) backend.resume();
  clock.advance(10_000);
  const bodies = heard.map((parts) => Buffer.concat(parts).subarray(-9000));
  assert.deepEqual(
    bodies.map((body) => body[0]),
    [1, 3, 5],
  );
  for (const body of bodies) assert.ok(body.every((byte) => byte === body[0]));
  client.destroy();
  for (const backend of stage.dialled) backend.destroy();
  clock.advance(10_000);
  stage.core.assertNothingLeft();
  assert.equal(server.size, 0);
});
