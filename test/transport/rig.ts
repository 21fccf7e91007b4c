/** Real sockets on loopback for the tests of this room, with proof at the end that none is left. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import type { Loan, TransportListener } from '../../src/base/transport.ts';
import type { TransportKind } from '../../src/transport/feature-detection.ts';
import { type Relay, type RelayObserver, relay, type Side } from '../../src/transport/relay.ts';
import { type SocketBackedTransport, TransportFactory } from '../../src/transport/transport-factory.ts';

export const kinds: readonly TransportKind[] = ['native', 'portable'];

/** Turns the loop until `condition` holds. */
export async function eventually(condition: () => boolean, what = condition.toString()): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `never came: ${what}`);
    await nextTurn();
  }
}

/** Lets everything happen that is already under way. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

/** Sockets that this process has open, listening ones too. */
export function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

/** Bytes that tell their own position and whose they are. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + seed * 101) & 0xff;
  return bytes;
}

/** Hears everything a transport tells, and keeps it. */
export class Recorder implements TransportListener {
  readonly events: string[] = [];
  readonly chunks: Buffer[] = [];
  error: Error | undefined;

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  heard(event: string): boolean {
    return this.events.includes(event);
  }

  onData(bytes: Uint8Array, _loan?: Loan): void {
    this.chunks.push(Buffer.from(bytes));
  }

  onEnd(): void {
    this.events.push('end');
  }

  onDrain(): void {
    this.events.push('drain');
  }

  onFinish(): void {
    this.events.push('finish');
  }

  onError(error: Error): void {
    this.error = error;
    this.events.push('error');
  }

  onClose(): void {
    this.events.push('close');
  }
}

/** What a relay told. */
export class RelayLog implements RelayObserver {
  readonly ended: Side[] = [];
  readonly failed: { side: Side; error: Error | undefined }[] = [];
  activities = 0;
  finishes = 0;

  activity(): void {
    this.activities++;
  }

  sideEnded(side: Side): void {
    this.ended.push(side);
  }

  sideFailed(side: Side, error: Error | undefined): void {
    this.failed.push({ side, error });
  }

  finished(): void {
    this.finishes++;
  }
}

/** A relayed connection: plain sockets at both ends, our transports in the middle. */
export interface Relayed {
  client: net.Socket;
  clientSide: SocketBackedTransport;
  targetSide: SocketBackedTransport;
  target: net.Socket;
  log: RelayLog;
  relay: Relay;
}

export class Rig {
  readonly factory: TransportFactory;
  readonly #before = openSockets();
  readonly #sockets: net.Socket[] = [];
  readonly #servers: net.Server[] = [];
  /** Who waits for the next transport that a server of `serve` accepts. */
  readonly #waiting: ((transport: SocketBackedTransport) => void)[] = [];

  constructor(kind: TransportKind, relayBufferBytes = 0) {
    this.factory = new TransportFactory({ clock: systemClock, relayBufferBytes, kind });
  }

  /** A server of the factory's, for `accepted`. */
  async serve(host = '127.0.0.1'): Promise<net.Server> {
    return this.#listen(
      this.factory.createServer((transport) => this.#waiting.shift()?.(transport)),
      host,
    );
  }

  /** A plain server, to be dialled. */
  async target(): Promise<net.Server> {
    return this.#listen(net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }));
  }

  async #listen(server: net.Server, host = '127.0.0.1'): Promise<net.Server> {
    this.#servers.push(server);
    server.listen(0, host);
    await once(server, 'listening');
    return server;
  }

  keep(socket: net.Socket): net.Socket {
    socket.on('error', () => {});
    this.#sockets.push(socket);
    return socket;
  }

  connect(server: net.Server): net.Socket {
    const { port } = server.address() as net.AddressInfo;
    return this.keep(net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }));
  }

  /** A plain client, and the transport around what the server accepted. */
  async accepted(
    from?: net.Server,
  ): Promise<{ client: net.Socket; transport: SocketBackedTransport; server: net.Server }> {
    const server = from ?? (await this.serve());
    const accepted = new Promise<SocketBackedTransport>((resolve) => this.#waiting.push(resolve));
    const client = this.connect(server);
    const [transport] = await Promise.all([accepted, once(client, 'connect')]);
    this.#sockets.push(transport.stream as net.Socket);
    return { client, transport, server };
  }

  /** A transport that dialled, and the plain socket that it reached. */
  async dialled(): Promise<{ target: net.Socket; transport: SocketBackedTransport }> {
    const server = await this.target();
    const { port } = server.address() as net.AddressInfo;
    const { socket, transport } = this.factory.connectSocket({ ip: '127.0.0.1', port });
    this.#sockets.push(socket);
    const [[target]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
      [net.Socket],
      unknown,
    ];
    return { target: this.keep(target), transport };
  }

  async relayed(): Promise<Relayed> {
    const { client, transport: clientSide } = await this.accepted();
    const { target, transport: targetSide } = await this.dialled();
    const log = new RelayLog();
    return { client, clientSide, target, targetSide, log, relay: relay(clientSide, targetSide, log) };
  }

  /** After a failure: nothing may keep the process alive. */
  giveUp(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }

  /** Ends what the test left open, and proves that nothing else is. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) {
      server.close();
      await once(server, 'close');
      assert.equal(await connections(server), 0);
    }
    await eventually(() => openSockets() <= this.#before, 'descriptors are back at their baseline');
    await eventually(() => this.factory.readBuffers.buffersInUse === 0, 'every read buffer came back');
  }
}

export function connections(server: net.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** Everything that a plain socket reads until FIN. */
export async function readAll(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Runs `test` with a rig of each kind, and closes the rig. */
export function onBothKinds(test: (rig: Rig) => Promise<void>): () => Promise<void> {
  return async () => {
    for (const kind of kinds) {
      const rig = new Rig(kind);
      try {
        await test(rig);
      } catch (error) {
        rig.giveUp();
        throw error;
      }
      await rig.close();
    }
  };
}
