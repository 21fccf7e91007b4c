import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { ConnectionManager } from '../../../src/connection/connection-manager.ts';
import type { ConnectionRecord } from '../../../src/connection/connection-record.ts';
import { TimeoutManager } from '../../../src/connection/timeout-manager.ts';
import { parseProxyHeader } from '../../../src/first-bytes/proxy-header-parser.ts';
import { NetworkProxyBridge } from '../../../src/forwarding/network-proxy-bridge.ts';
import { createDial } from '../../../src/transport/dial.ts';
import { createDns } from '../../../src/transport/dns.ts';
import { TransportFactory } from '../../../src/transport/transport-factory.ts';
import { routesOf, timeouts } from '../../routing/routes.ts';
import { type Backend, Stage } from '../../smart-proxy/stage.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';

/** The bridge alone: clients that were accepted and routed, and nothing after it. */
class Bridge implements AsyncDisposable {
  readonly clock = systemClock;
  readonly timeouts = new TimeoutManager(systemClock);
  readonly manager = new ConnectionManager({
    clock: systemClock,
    timeouts: this.timeouts,
    log: silentLogger,
  });
  readonly #transports = new TransportFactory({ clock: systemClock, relayBufferBytes: 0 });
  readonly #dns = createDns({ clock: systemClock });
  readonly bridge: NetworkProxyBridge;
  readonly #server: Server;
  readonly clients: Socket[] = [];
  /** How often each connection was called back about. */
  readonly callbacks: ConnectionRecord[] = [];
  readonly records: ConnectionRecord[] = [];
  #port = 0;

  constructor(initialChunk: Uint8Array) {
    const dial = createDial({
      clock: systemClock,
      dns: this.#dns,
      connectSocket: this.#transports.connectSocket,
    });
    const { clock, manager, timeouts } = this;
    const secret = Buffer.alloc(32, 7);
    this.bridge = new NetworkProxyBridge(
      { clock, manager, timeouts, dial },
      { mode: 'loopback', port: 1, secret },
    );
    manager.observe(this.bridge);
    this.#server = this.#transports.createServer((client) => {
      const record = manager.createConnection(client, { localPort: 443, timeouts: quick });
      this.records.push(record);
      manager.transition(record, 'routing');
      manager.setRoute(record, { ...routesOf({})[0]!, timeouts: quick });
      this.bridge.forwardToNetworkProxy(record.id, client, record, initialChunk, this.#port, (ended) =>
        this.callbacks.push(ended),
      );
    });
  }

  async listen(networkProxyPort: number): Promise<this> {
    this.#port = networkProxyPort;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  connect(): Socket {
    const client = connect({
      port: (this.#server.address() as AddressInfo).port,
      host: '127.0.0.1',
      allowHalfOpen: true,
    });
    client.on('error', () => {});
    client.resume();
    this.clients.push(client);
    return client;
  }

  async ended(count = 1): Promise<ConnectionRecord> {
    await eventually(
      () => `${count} callbacks have run (${this.callbacks.length} have)`,
      () => this.callbacks.length >= count,
    );
    assert.equal(this.callbacks.length, count);
    return this.callbacks[count - 1] as ConnectionRecord;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.destroy();
    this.#server.close();
    await eventually('every record has ended', () => this.manager.size === 0);
    assert.equal(this.bridge.forwarded, 0);
    assert.equal(this.timeouts.size, 0);
    assert.equal(this.callbacks.length, this.records.length, 'each connection is called back about once');
    assert.equal(new Set(this.callbacks).size, this.records.length);
    this.#dns.close();
    this.timeouts.stop();
  }
}

const quick = { ...timeouts, cleanupGraceMs: 50 };
const chunk = Buffer.from('the beginning of a hello');

/** What a NetworkProxy gets: the header, and then the client's bytes. */
async function received(
  backend: Backend,
  length: number,
): Promise<{ id: string; bytes: string; ip: string }> {
  const peer = await backend.peer();
  const parsed = () => parseProxyHeader(peer.received);
  await eventually('everything arrives', () => {
    const header = parsed();
    return header.kind === 'header' && peer.receivedBytes >= header.length + length;
  });
  const header = parsed();
  assert.ok(header.kind === 'header');
  const id = Buffer.from(header.tlvs.uniqueId ?? []).toString();
  return { id, bytes: peer.received.subarray(header.length).toString(), ip: header.source?.ip ?? '' };
}

test('the header comes first, then what was read, then what the client sends, and answers come back', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const bridge = scoped(t, await new Bridge(chunk).listen(backend.port));
  const client = bridge.connect();
  client.write(', and its end');
  const whole = 'the beginning of a hello, and its end';
  const got = await received(backend, whole.length);
  assert.deepEqual(got, { id: bridge.records[0]!.id, bytes: whole, ip: '127.0.0.1' });
  (await backend.peer()).send('an answer').end();
  client.end();
  const record = await bridge.ended();
  assert.equal(record.termination?.reason, 'client-closed');
  assert.equal(client.bytesRead, 'an answer'.length);
});

test('whoever ends it, both sockets are closed and the callback runs once', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const bridge = scoped(t, await new Bridge(chunk).listen(backend.port));
  const endings: [end: (client: Socket, index: number) => Promise<void>, reason: string][] = [
    [async (client) => void client.resetAndDestroy(), 'client-reset'],
    [async (_client, index) => void (await backend.peer(index)).reset(), 'target-reset'],
    [
      async (client, index) => {
        const ended = once(client, 'end');
        (await backend.peer(index)).end();
        await ended;
        client.end();
      },
      'target-closed',
    ],
    [
      async (_client, index) =>
        void bridge.manager.initiateCleanupOnce(bridge.records[index]!, { reason: 'operator' }),
      'operator',
    ],
  ];
  for (const [index, [end, reason]] of endings.entries()) {
    const client = bridge.connect();
    const peer = await backend.peer(index);
    await eventually('the first bytes are there', () => peer.receivedBytes > 0);
    await end(client, index);
    const record = await bridge.ended(index + 1);
    assert.equal(record.termination?.reason, reason);
    client.destroy();
    peer.end();
    await peer.gone();
  }
});

test('a NetworkProxy that cannot be reached is an ending too, with its callback', async (t) => {
  const stage = scoped(t, new Stage());
  const port = await stage.deadPort();
  const bridge = scoped(t, await new Bridge(chunk).listen(port));
  bridge.connect();
  assert.equal((await bridge.ended()).termination?.reason, 'connect-refused');
});

test('a connection that has ended already is called back about at once', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const bridge = scoped(t, await new Bridge(chunk).listen(backend.port));
  const client = bridge.connect();
  await backend.peer();
  client.resetAndDestroy();
  const record = await bridge.ended();
  let calls = 0;
  bridge.bridge.forwardToNetworkProxy(record.id, record.client, record, chunk, backend.port, () => {
    calls++;
  });
  assert.equal(calls, 1);
});
