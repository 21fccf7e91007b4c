import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import type { DialFailure, Dialing, Endpoint, Transport } from '../../src/base/transport.ts';
import { attemptDelayMs, createDial, maxAttempts } from '../../src/transport/dial.ts';
import type { ConnectSocket } from '../../src/transport/dial-attempt.ts';
import { dialFailure } from '../../src/transport/dial-failure.ts';
import type { Dns, DnsListener } from '../../src/transport/dns.ts';
import { createDns } from '../../src/transport/dns.ts';
import { TransportFactory } from '../../src/transport/transport-factory.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;
const nextTurn = (): Promise<void> => new Promise((done) => setImmediate(done));

/** A DNS that tells what the test tells. */
class ManualDns implements Dns {
  listener: DnsListener | undefined;
  cancelled = 0;

  resolve(_host: string, _mode: string, listener: DnsListener): { cancel(): void } {
    this.listener = listener;
    return {
      cancel: () => {
        this.cancelled += 1;
        this.listener = undefined;
      },
    };
  }

  close(): void {}
}

/** Everything a dial needs; what it connects to is noted, and addresses of 192.0.2.0/24 never answer. */
class Bench {
  readonly clock = new VirtualClock();
  readonly names = new ManualDns();
  readonly factory: TransportFactory;
  readonly attempted: string[] = [];
  readonly sockets: net.Socket[] = [];

  constructor(kind: 'native' | 'portable' = 'native') {
    this.factory = new TransportFactory({ clock: systemClock, relayBufferBytes: 0, kind });
  }

  readonly connectSocket: ConnectSocket = (to) => {
    this.attempted.push('ip' in to ? to.ip : to.path);
    const silent = 'ip' in to && to.ip.startsWith('192.0.2.');
    const made = silent ? this.#silent() : this.factory.connectSocket(to);
    this.sockets.push(made.socket);
    return made;
  };

  dial(endpoint: Endpoint, connectSocket: ConnectSocket = this.connectSocket): Outcome {
    const dial = createDial({ clock: this.clock, dns: this.names, connectSocket });
    return new Outcome((handlers) => dial(endpoint, handlers));
  }

  #silent(): { socket: net.Socket; transport: Transport } {
    const socket = new net.Socket();
    return { socket, transport: this.factory.wrapStream(socket) };
  }

  /** Sockets of lost or aborted attempts must be gone, and nothing may wait. */
  assertNothingLeft(except?: net.Socket): void {
    for (const socket of this.sockets) assert.equal(socket.destroyed, socket !== except);
    assert.equal(this.clock.pending, 0);
  }
}

/** Notes what a dial told, and that it told it once and not within the call. */
class Outcome {
  transport: Transport | undefined;
  failure: DialFailure | undefined;
  readonly dialing: Dialing;
  readonly told: Promise<void>;

  constructor(
    start: (handlers: { onConnected(t: Transport): void; onFailed(f: DialFailure): void }) => Dialing,
  ) {
    let within = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.told = promise;
    const once = (): void => {
      assert.ok(!within, 'never synchronously');
      assert.ok(this.transport === undefined && this.failure === undefined, 'exactly once');
      resolve();
    };
    this.dialing = start({
      onConnected: (transport) => {
        once();
        this.transport = transport;
      },
      onFailed: (failure) => {
        once();
        this.failure = failure;
      },
    });
    within = false;
  }

  get reason(): string | undefined {
    return this.failure?.reason;
  }
}

/** Closed when the test ends. */
async function listen(
  context: TestContext,
  at: { host: string; port: number } | { path: string },
): Promise<net.Server> {
  const server = net.createServer((socket) => socket.on('error', () => {}).end('hello'));
  context.after(() => server.close());
  server.listen(at);
  await once(server, 'listening');
  return server;
}

const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;

async function unusedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}

const settled = openDescriptors();

for (const kind of ['native', 'portable'] as const) {
  test(`${kind}: an address is dialled without DNS, and the transport comes paused`, async (context) => {
    for (const host of ['127.0.0.1', '::1']) {
      const server = await listen(context, { host, port: 0 });
      const bench = new Bench(kind);
      const outcome = bench.dial({ host, port: portOf(server) });
      await outcome.told;
      const { promise: text, resolve } = Promise.withResolvers<string>();
      const transport = outcome.transport as Transport;
      assert.equal(transport.bytesRead, 0, 'nothing is read before somebody listens');
      transport.setListener({
        onData: (bytes) => resolve(Buffer.from(bytes).toString()),
        onEnd() {},
        onDrain() {},
        onFinish() {},
        onError() {},
        onClose() {},
      });
      transport.resume();
      assert.equal(await text, 'hello');
      transport.destroy();
      assert.equal(bench.names.listener, undefined);
      bench.assertNothingLeft();
    }
  });

  // L1
  test(`${kind}: a dead backend is a failed dial, and nothing else`, async () => {
    const bench = new Bench(kind);
    const outcome = bench.dial({ host: '127.0.0.1', port: await unusedPort() });
    await outcome.told;
    assert.equal(outcome.reason, 'connect-refused');
    outcome.dialing.abort();
    bench.assertNothingLeft();
  });

  // L2
  test(`${kind}: a socket that errors in the tick it was made in has its handler already`, async () => {
    const bench = new Bench(kind);
    const broken: ConnectSocket = (to) => {
      const made = bench.connectSocket(to);
      made.socket.destroy(Object.assign(new Error('no descriptor'), { code: 'EMFILE' }));
      return made;
    };
    const outcome = bench.dial({ host: '127.0.0.1', port: 9 }, broken);
    await outcome.told;
    assert.equal(outcome.reason, 'resource-exhausted');
    bench.assertNothingLeft();
  });

  // L9
  test(`${kind}: an aborted dial leaves no socket, at whatever moment`, async (context) => {
    const server = await listen(context, { host: '127.0.0.1', port: 0 });
    const bench = new Bench(kind);
    for (let turns = 0; turns < 4; turns++) {
      const outcome = bench.dial({ host: '127.0.0.1', port: portOf(server) });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      outcome.dialing.abort();
      outcome.dialing.abort();
      await nextTurn();
      assert.deepEqual([outcome.transport, outcome.failure], [undefined, undefined]);
    }
    bench.assertNothingLeft();
  });

  test(`${kind}: unix sockets are dialled`, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'smartproxy-dial-'));
    const path = join(folder, 'socket');
    const bench = new Bench(kind);
    const missing = bench.dial({ socket: path });
    await missing.told;
    assert.equal(missing.reason, 'connect-unreachable');
    await listen(context, { path });
    const outcome = bench.dial({ socket: path });
    await outcome.told;
    assert.deepEqual(outcome.transport?.peer, { ip: '', port: 0 });
    outcome.transport?.destroy();
    bench.assertNothingLeft();
    rmSync(folder, { recursive: true });
  });
}

test('an address that fails gives way to the next at once', async (context) => {
  const server = await listen(context, { host: '127.0.0.1', port: 0 });
  const bench = new Bench();
  const outcome = bench.dial({ host: 'a.test', port: portOf(server) });
  bench.names.listener?.onAddresses(['127.0.0.2', '127.0.0.1'], true);
  await outcome.told;
  assert.deepEqual(bench.attempted, ['127.0.0.2', '127.0.0.1']);
  assert.equal(outcome.transport?.peer.ip, '127.0.0.1');
  bench.assertNothingLeft(bench.sockets[1]);
  outcome.transport?.destroy();
});

test('an address that is silent has 250 ms to itself, and loses to the first that connects', async (context) => {
  const server = await listen(context, { host: '127.0.0.1', port: 0 });
  const bench = new Bench();
  const outcome = bench.dial({ host: 'a.test', port: portOf(server) });
  bench.names.listener?.onAddresses(['192.0.2.1', '127.0.0.1'], true);
  bench.clock.advance(attemptDelayMs - 1);
  assert.deepEqual(bench.attempted, ['192.0.2.1']);
  bench.clock.advance(1);
  assert.deepEqual(bench.attempted, ['192.0.2.1', '127.0.0.1']);
  await outcome.told;
  bench.assertNothingLeft(bench.sockets[1]);
  outcome.transport?.destroy();
});

test('families alternate, beginning with the preferred one', () => {
  const bench = new Bench();
  const silent: ConnectSocket = (to) => {
    bench.attempted.push((to as { ip: string }).ip);
    return bench.connectSocket({ ip: '192.0.2.9', port: 1 });
  };
  const outcome = bench.dial({ host: 'a.test', port: 1 }, silent);
  bench.names.listener?.onAddresses(['::1', '::2', '::3', '10.0.0.1', '10.0.0.2'], true);
  bench.clock.runUntilIdle();
  const order = bench.attempted.filter((ip) => ip !== '192.0.2.9');
  assert.deepEqual(order, ['::1', '10.0.0.1', '::2', '10.0.0.2', '::3']);
  outcome.dialing.abort();
  bench.assertNothingLeft();
});

test('addresses that DNS tells later join the race', async (context) => {
  const server = await listen(context, { host: '127.0.0.1', port: 0 });
  const bench = new Bench();
  const outcome = bench.dial({ host: 'a.test', port: portOf(server) });
  bench.names.listener?.onAddresses(['127.0.0.3'], false);
  while (!bench.sockets[0]?.destroyed) await nextTurn();
  assert.equal(outcome.failure, undefined, 'DNS may still tell more');
  bench.names.listener?.onAddresses(['127.0.0.1'], true);
  await outcome.told;
  assert.equal(outcome.transport?.peer.ip, '127.0.0.1');
  assert.equal(bench.names.cancelled, 1);
  outcome.transport?.destroy();
  bench.assertNothingLeft();
});

test('when DNS has no more after all have failed, the dial has failed', async () => {
  const bench = new Bench();
  const outcome = bench.dial({ host: 'a.test', port: await unusedPort() });
  bench.names.listener?.onAddresses(['127.0.0.1'], false);
  while (!bench.sockets[0]?.destroyed) await nextTurn();
  bench.names.listener?.onAddresses([], true);
  bench.clock.flush();
  assert.equal(outcome.reason, 'connect-refused');
  bench.assertNothingLeft();
});

test('of several failures the one that says most is told', () => {
  const bench = new Bench();
  const codes = ['ENETUNREACH', 'ECONNREFUSED', 'EADDRNOTAVAIL'];
  const failing: ConnectSocket = () => {
    throw Object.assign(new Error('connect'), { code: codes.shift() });
  };
  const outcome = bench.dial({ host: 'a.test', port: 1 }, failing);
  bench.names.listener?.onAddresses(['::1', '::2', '127.0.0.1'], true);
  bench.clock.flush();
  assert.equal(outcome.reason, 'connect-refused');
  bench.assertNothingLeft();
});

test('a failure of DNS is told, never within the call', () => {
  const bench = new Bench();
  const outcome = bench.dial({ host: 'a.test', port: 1 });
  bench.names.listener?.onFailed(new Error('ENOTFOUND'));
  bench.clock.flush();
  assert.equal(outcome.reason, 'dns-failed');
  const cached: Dns = {
    resolve(_host, _mode, listener) {
      listener.onFailed(new Error('known to fail'));
      return { cancel() {} };
    },
    close() {},
  };
  const dial = createDial({ clock: bench.clock, dns: cached, connectSocket: bench.connectSocket });
  const again = new Outcome((handlers) => dial({ host: 'a.test', port: 1 }, handlers));
  bench.clock.flush();
  assert.equal(again.reason, 'dns-failed');
  bench.assertNothingLeft();
});

// L9
test('a name that is aborted leaves no query, timer or socket', () => {
  const bench = new Bench();
  const early = bench.dial({ host: 'a.test', port: 1 });
  early.dialing.abort();
  assert.equal(bench.names.cancelled, 1);
  const racing = bench.dial({ host: 'a.test', port: 1 });
  bench.names.listener?.onAddresses(['192.0.2.1', '192.0.2.2', '192.0.2.3'], false);
  bench.clock.advance(attemptDelayMs);
  assert.equal(bench.attempted.length, 2);
  racing.dialing.abort();
  racing.dialing.abort();
  assert.equal(bench.names.cancelled, 2);
  const failed = bench.dial({ host: 'a.test', port: 1 });
  bench.names.listener?.onFailed(new Error('ENOTFOUND'));
  failed.dialing.abort();
  bench.clock.flush();
  assert.deepEqual([early.failure, racing.failure, failed.failure], [undefined, undefined, undefined]);
  bench.assertNothingLeft();
});

test('a name with a thousand addresses costs a bounded number of attempts', () => {
  const bench = new Bench();
  const failing: ConnectSocket = () => {
    bench.attempted.push('one');
    throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  };
  const outcome = bench.dial({ host: 'a.test', port: 1 }, failing);
  bench.names.listener?.onAddresses(
    Array.from({ length: 1000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`),
    true,
  );
  bench.clock.flush();
  assert.equal(bench.attempted.length, maxAttempts);
  assert.equal(outcome.reason, 'connect-refused');
});

test('a socket that cannot even be made is a failure that comes later', () => {
  const bench = new Bench();
  const broken: ConnectSocket = () => {
    throw Object.assign(new Error('socket'), { code: 'ENOMEM' });
  };
  const outcome = bench.dial({ host: '127.0.0.1', port: 1 }, broken);
  const aborted = bench.dial({ host: '127.0.0.1', port: 1 }, broken);
  aborted.dialing.abort();
  bench.clock.flush();
  assert.equal(outcome.reason, 'resource-exhausted');
  assert.equal(aborted.failure, undefined);
  assert.equal(bench.clock.pending, 0);
});

test('a socket that meets itself on a port nobody listens on has been refused', async () => {
  const bench = new Bench();
  const port = await unusedPort();
  const itself: ConnectSocket = () => {
    const socket = net.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.1', localPort: port });
    bench.sockets.push(socket);
    return { socket, transport: bench.factory.wrapStream(socket) };
  };
  const outcome = bench.dial({ host: '127.0.0.1', port }, itself);
  await outcome.told;
  assert.equal(outcome.reason, 'connect-refused');
  bench.assertNothingLeft();
});

test('each error of connect has its reason', () => {
  const reasons = {
    ECONNREFUSED: 'connect-refused',
    EHOSTUNREACH: 'connect-unreachable',
    ENETUNREACH: 'connect-unreachable',
    EACCES: 'connect-unreachable',
    ENOENT: 'connect-unreachable',
    EMFILE: 'resource-exhausted',
    ENFILE: 'resource-exhausted',
    EADDRNOTAVAIL: 'resource-exhausted',
    ENOBUFS: 'resource-exhausted',
    ENOMEM: 'resource-exhausted',
    ETIMEDOUT: 'target-timed-out',
    constructor: 'internal-error',
  };
  for (const [code, reason] of Object.entries(reasons)) {
    assert.equal(dialFailure(Object.assign(new Error(code), { code })).reason, reason, code);
  }
  assert.equal(dialFailure('not even an error').reason, 'internal-error');
});

test('a name of this machine is resolved and dialled with the real parts', async (context) => {
  const server = await listen(context, { host: '127.0.0.1', port: 0 });
  const bench = new Bench();
  const dns = createDns({ clock: systemClock });
  const dial = createDial({ clock: systemClock, dns, connectSocket: bench.connectSocket });
  const outcome = new Outcome((handlers) => dial({ host: 'localhost', port: portOf(server) }, handlers));
  await outcome.told;
  assert.equal(outcome.failure, undefined);
  outcome.transport?.destroy();
  dns.close();
  bench.assertNothingLeft();
});

test('no descriptor is left', async () => {
  for (let turn = 0; turn < 1_000 && openDescriptors() > settled; turn++) await nextTurn();
  assert.equal(openDescriptors(), settled);
});
