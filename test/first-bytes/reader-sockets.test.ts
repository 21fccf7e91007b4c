import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { type FirstBytes, type FirstBytesFailure, readFirstBytes } from '../../src/first-bytes/reader.ts';
import { encodeProxyHeader } from '../../src/transport/proxy-header.ts';
import { type SocketBackedTransport, TransportFactory } from '../../src/transport/transport-factory.ts';
import { buildHello, concat, inRecords, withoutRecords } from '../support/client-hellos.ts';

const source = { ip: '192.0.2.1', port: 1 };
const hello = buildHello({ serverName: 'a.test', keyShareBytes: 1248, alpn: ['h2'] });

/** What the reader makes of a real client, on each kind of transport that this Node has. */
async function read(
  kind: 'native' | 'portable',
  proxyHeader: 'required' | 'none',
  act: (client: Socket) => Promise<void> | void,
): Promise<FirstBytes | FirstBytesFailure> {
  const factory = new TransportFactory({ clock: systemClock, relayBufferBytes: 0, kind });
  const accepted = Promise.withResolvers<SocketBackedTransport>();
  const server = factory.createServer(accepted.resolve).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, noDelay: true });
  client.on('error', () => {});
  const transport = await accepted.promise;
  const done = Promise.withResolvers<FirstBytes | FirstBytesFailure>();
  readFirstBytes(transport, { proxyHeader, detect: true, maxBytes: 65_536 }, done.resolve);
  await act(client);
  const result = await done.promise;
  client.destroy();
  transport.destroy();
  server.close();
  await once(server, 'close');
  return result;
}

for (const kind of ['native', 'portable'] as const) {
  // T1, T2, P2
  test(`a real socket that sends byte by byte is read whole (${kind})`, async () => {
    const header = encodeProxyHeader(2, { source, destination: source, tlvs: { crc32c: true } });
    const fragmented = inRecords(withoutRecords(hello), [1, 2, 900]);
    const result = await read(kind, 'required', async (client) => {
      for (const byte of concat(header, fragmented)) {
        client.write(Uint8Array.of(byte));
        await setImmediate();
      }
    });
    assert.ok(result.outcome === 'read', JSON.stringify(result));
    assert.deepEqual([result.hello?.serverName, result.proxyHeader?.source], ['a.test', source]);
    assert.deepEqual(new Uint8Array(result.bytes), fragmented);
  });

  // T9
  test(`a real FIN and a real RST in the middle of a hello are told apart (${kind})`, async () => {
    const ending = async (end: (client: Socket) => void) => {
      const result = await read(kind, 'none', async (client) => {
        await new Promise((resolve) => client.write(hello.subarray(0, 700), resolve));
        end(client);
      });
      return result.outcome === 'failed' ? result.reason : result.outcome;
    };
    assert.equal(await ending((client) => client.end()), 'client-closed');
    assert.equal(await ending((client) => client.resetAndDestroy()), 'client-reset');
  });
}

test('nothing is left: no socket or server keeps this process alive', async () => {
  const held = () => process.getActiveResourcesInfo().filter((what) => what.includes('TCP'));
  for (let turn = 0; turn < 100 && held().length > 0; turn++) await setImmediate();
  assert.deepEqual(held(), []);
});
