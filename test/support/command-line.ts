/** The real `smartproxy` command, as a user starts it. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type RunningProgram, type Workspace, waitUntil } from './workspace.ts';

export const bin = join(import.meta.dirname, '..', '..', 'bin', 'smartproxy.js');

export interface CommandResult {
  code: number | null;
  out: string;
  err: string;
}

/** Runs a command to its end. */
export async function smartproxy(
  workspace: Workspace,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<CommandResult> {
  const program = workspace.start(process.execPath, [bin, ...args], { env: { ...process.env, ...env } });
  const result: CommandResult = { code: null, out: '', err: '' };
  program.process.stdout?.on('data', (text: string) => {
    result.out += text;
  });
  program.process.stderr?.on('data', (text: string) => {
    result.err += text;
  });
  result.code = await program.exited();
  return result;
}

/** A line of the log. */
export type LogLine = { time: string; level: string; event: string } & Record<string, unknown>;

/** A command that goes on until it is told to end, and its log. */
export class RunningProxy {
  readonly program: RunningProgram;
  #out = '';

  /** @param within words before the command, such as those that run it on another host */
  constructor(
    workspace: Workspace,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    within: readonly string[] = [],
  ) {
    const [program = '', ...words] = [...within, process.execPath, bin, ...args];
    this.program = workspace.start(program, words, { env: { ...process.env, ...env } });
    this.program.process.stdout?.on('data', (text: string) => {
      this.#out += text;
    });
  }

  /** Every line so far; each must be JSON. */
  get lines(): LogLine[] {
    const whole = this.#out.slice(0, this.#out.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** The first line of that event, waiting for it. */
  async logs(event: string, count = 1): Promise<LogLine> {
    return waitUntil(`the event ${event}`, () => {
      const line = this.lines.filter((candidate) => candidate.event === event)[count - 1];
      if (line === undefined && !this.program.running) throw new Error(`it ended:\n${this.program.output}`);
      return line;
    });
  }

  /** The port of a route, once everything listens. */
  async portOf(route: string): Promise<number> {
    const { listeners } = (await this.logs('ready')) as unknown as {
      listeners: { port: number; routes: string[] }[];
    };
    const listener = listeners.find(({ routes }) => routes.includes(route));
    if (listener === undefined) throw new Error(`no listener for ${route}`);
    return listener.port;
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.program.pid, name);
  }
}

/** A server on loopback that sends back what it gets, and ends with the workspace. */
export async function startEcho(workspace: Workspace): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
    workspace.onEnd(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
