/**
 * A program on a host of the test network: it listens, connects, sends and closes as the test says, over
 * IPC. Run by `Host`, in the host's network namespace.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Namespaces } from '../support/namespaces.ts';
import type { Workspace } from '../support/workspace.ts';

/** What is not there by then never comes. */
const callMs = 30_000;

/** What a server does with each connection: sends back what comes, answers once and closes, or resets. */
export type Manner = 'echo' | 'answer' | 'reset' | 'hold';

export interface Opened {
  /** Null where the connection failed. */
  id: number | null;
  error: string | null;
  port: number;
}

export interface Ended {
  /** `fin`, or the code of the error. */
  how: string;
  received: string;
}

interface Calls {
  listen(host: string, port: number, manner: Manner): Promise<number>;
  /** Closes all servers. */
  close(): Promise<void>;
  /** Connections that the servers have now. */
  accepted(): Promise<{ address: string; port: number }[]>;
  open(host: string, port: number, count: number, localAddress?: string): Promise<Opened[]>;
  /** So many at a time: opens, sends a byte, waits for the answer and its FIN, and closes. */
  exchange(host: string, port: number, count: number, localAddress?: string): Promise<void>;
  send(id: number, text: string): Promise<void>;
  /** Waits until so much has come. */
  receives(id: number, length: number): Promise<string>;
  /** Sends FIN, and waits for the other's. */
  end(id: number): Promise<Ended>;
  reset(id: number): Promise<void>;
  /** Waits for the end that the other side makes. */
  ended(id: number): Promise<Ended>;
}

class Connection {
  readonly socket: Socket;
  received = '';
  how: string | null = null;
  readonly #changed: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
      this.#change();
    });
    socket.on('end', () => this.#end('fin'));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code ?? 'error'));
    socket.on('close', () => this.#end('closed'));
  }

  #end(how: string): void {
    this.how ??= how;
    this.#change();
  }

  #change(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }
}

function serve(): Calls {
  const connections = new Map<number, Connection>();
  const servers: ReturnType<typeof createServer>[] = [];
  const accepted = new Set<Socket>();
  let lastId = 0;
  const of = (id: number): Connection => connections.get(id) as Connection;
  const ended = async (id: number): Promise<Ended> => {
    const connection = of(id);
    await connection.until(() => connection.how !== null);
    return { how: connection.how ?? '', received: connection.received };
  };
  const openOne = async (host: string, port: number, localAddress?: string): Promise<Opened> => {
    const socket = connect({ host, port, allowHalfOpen: true, ...(localAddress && { localAddress }) });
    const connection = new Connection(socket);
    socket.once('connect', () => {
      connection.how ??= null;
    });
    const failed = once(socket, 'connect').then(
      () => null,
      (error: NodeJS.ErrnoException) => error.code ?? 'error',
    );
    const error = await failed;
    if (error !== null) return { id: null, error, port: 0 };
    connections.set(++lastId, connection);
    return { id: lastId, error: null, port: socket.localPort ?? 0 };
  };
  return {
    async listen(host, port, manner) {
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        accepted.add(socket);
        socket.once('close', () => accepted.delete(socket)).on('error', () => {});
        behave(socket, manner);
      });
      servers.push(server);
      server.listen(port, host);
      await once(server, 'listening');
      const address = server.address();
      return typeof address === 'object' ? (address?.port ?? 0) : 0;
    },
    async close() {
      for (const server of servers.splice(0)) server.close();
    },
    async accepted() {
      return [...accepted].map((socket) => ({
        address: socket.remoteAddress ?? '',
        port: socket.remotePort ?? 0,
      }));
    },
    open: (host, port, count, localAddress) =>
      Promise.all(Array.from({ length: count }, () => openOne(host, port, localAddress))),
    async exchange(host, port, count, localAddress) {
      const one = async (): Promise<void> => {
        const { id, error } = await openOne(host, port, localAddress);
        if (id === null) throw new Error(`not opened: ${error}`);
        const { socket } = of(id);
        socket.write('x');
        await ended(id);
        socket.end();
        await of(id).until(() => socket.destroyed || socket.writableFinished);
        connections.delete(id);
      };
      await Promise.all(Array.from({ length: count }, one));
    },
    async send(id, text) {
      of(id).socket.write(text, 'latin1');
    },
    async receives(id, length) {
      const connection = of(id);
      await connection.until(() => connection.received.length >= length || connection.how !== null);
      return connection.received;
    },
    async end(id) {
      of(id).socket.end();
      return ended(id);
    },
    async reset(id) {
      of(id).socket.resetAndDestroy();
    },
    ended,
  };
}

function behave(socket: Socket, manner: Manner): void {
  if (manner === 'echo') socket.pipe(socket);
  else if (manner === 'answer') socket.once('data', () => socket.end('answer'));
  else if (manner === 'reset') socket.once('data', () => socket.resetAndDestroy());
  else socket.resume();
}

/** The program, as the test has it. Its calls are those of `Calls`. */
export class Host {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastCall = 0;
  readonly do: Calls;

  constructor(workspace: Workspace, namespaces: Namespaces, name: string) {
    const [program, ...on] = namespaces.on(name);
    this.#child = spawn(program, [...on, execPath, fileURLToPath(import.meta.url)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message) =>
      this.#onAnswer(message as { call: number; value?: unknown; error?: string }),
    );
    const ended = once(this.#child, 'exit');
    workspace.onEnd(async () => {
      this.#child.kill('SIGKILL');
      await ended;
    });
    this.do = new Proxy({} as Calls, {
      get:
        (_target, method: string) =>
        (...args: unknown[]) =>
          this.#call(method, args),
    });
  }

  #call(method: string, args: unknown[]): Promise<unknown> {
    const call = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method} took too long`)), callMs);
      const settle = (done: () => void): void => {
        clearTimeout(timer);
        done();
      };
      this.#waiting.set(call, {
        resolve: (value) => settle(() => resolve(value)),
        reject: (error) => settle(() => reject(error)),
      });
      this.#child.send({ call, method, args });
    });
  }

  #onAnswer({ call, value, error }: { call: number; value?: unknown; error?: string }): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const calls = serve() as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  process.on('message', async ({ call, method, args }: { call: number; method: string; args: unknown[] }) => {
    try {
      process.send?.({ call, value: await calls[method]?.(...args) });
    } catch (error) {
      process.send?.({ call, error: (error as Error).message });
    }
  });
}
