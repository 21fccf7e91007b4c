/** Programs, ports and files of one test, all gone when it ends. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 20;
/** How long a program may take to begin listening, or to say what is waited for. */
const readyMs = 120_000;
/** How long a program may take to end after SIGTERM; then it is killed. */
const stopMs = 5_000;

/** A program that was started, with what it has printed so far. */
export class RunningProgram {
  readonly process: ChildProcess;
  readonly name: string;
  output = '';
  readonly #exited: Promise<unknown>;

  constructor(name: string, process: ChildProcess) {
    this.name = name;
    this.process = process;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.#exited = once(process, 'close').catch(() => undefined);
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.process.pid;
  }

  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Resolves with the exit code (null: ended by a signal). */
  async exited(): Promise<number | null> {
    await this.#exited;
    return this.process.exitCode;
  }

  /** The first match in the output, waiting for it. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    return waitUntil(`${this.name} to say ${pattern}`, () => {
      const match = pattern.exec(this.output);
      if (!match && !this.running) throw new Error(`${this.name} ended:\n${this.output}`);
      return match ?? undefined;
    });
  }

  /** Ends the program and everything that it started. Idempotent. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.process.pid !== undefined && this.running) {
      this.process.kill(signal);
      const killing = setTimeout(() => this.#killGroup(), stopMs);
      await this.#exited;
      clearTimeout(killing);
    }
    this.#killGroup();
  }

  #killGroup(): void {
    try {
      if (this.process.pid !== undefined) process.kill(-this.process.pid, 'SIGKILL');
    } catch {
      // The whole group has ended.
    }
  }
}

/** A folder, the programs that run in it, and whatever else ends with them. */
export class Workspace {
  readonly folder: string;
  readonly #endings: (() => unknown)[] = [];

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `smartproxy-${name}-`));
    this.onEnd(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** A workspace that ends with the test. */
  static of(context: TestContext, name: string): Workspace {
    const workspace = new Workspace(name);
    context.after(() => workspace.end());
    return workspace;
  }

  /** Runs `action` at the end. What came last ends first: clients before servers. */
  onEnd(action: () => unknown): void {
    this.#endings.push(action);
  }

  /** Ends everything, even where an ending fails; then fails with the first failure. */
  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (const action of this.#endings.splice(0).reverse()) {
      try {
        await action();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Writes a file, and returns its path. */
  write(name: string, content: string, mode = 0o644): string {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content, { mode });
    return this.path(name);
  }

  /** Starts a program in a process group of its own, in the workspace's folder unless told otherwise. */
  start(command: string, args: readonly string[], options: SpawnOptions = {}): RunningProgram {
    const child = spawn(command, args, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
      detached: true,
    });
    const program = new RunningProgram(command.split('/').at(-1) ?? command, child);
    this.onEnd(() => program.stop());
    return program;
  }

  /** Starts a server, and resolves once its port accepts a connection. */
  async startServer(port: number, command: string, args: readonly string[]): Promise<RunningProgram> {
    const program = this.start(command, args);
    await waitUntil(`${program.name} to listen on ${port}`, async () => {
      if (!program.running) throw new Error(`${program.name} ended:\n${program.output}`);
      return (await accepts(port)) || undefined;
    });
    return program;
  }

  /** Runs a program to its end and returns what it printed. Fails where its exit code is not 0. */
  async run(command: string, args: readonly string[], options: SpawnOptions & { input?: string } = {}) {
    const { input, ...rest } = options;
    const program = this.start(command, args, { ...rest, stdio: ['pipe', 'pipe', 'pipe'] });
    program.process.stdin?.on('error', () => undefined).end(input ?? '');
    const code = await program.exited();
    if (code !== 0) throw new Error(`${program.name} ended with ${code}:\n${program.output}`);
    return program.output;
  }
}

/**
 * A port that nobody listens on at this moment. Below those that the kernel gives to clients: one of
 * these may be somebody's own by the time that it is listened on.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = randomInt(10_240, 32_000);
    const server = createServer().listen(port);
    try {
      await once(server, 'listening');
    } catch (error) {
      if (attempt === 50) throw error;
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Whether a connection to the port is accepted. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const accepted = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
  socket.destroy();
  return accepted;
}

/** Asks again until there is an answer. Fails with what was waited for. */
export async function waitUntil<Answer>(
  what: string,
  ask: () => Answer | undefined | Promise<Answer | undefined>,
): Promise<Answer> {
  const deadline = performance.now() + readyMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${readyMs} ms for ${what}`);
    await delay(pollMs);
  }
}
