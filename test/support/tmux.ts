/** A real terminal for programs that fill one: tmux, which can be typed into and read. */
import { setTimeout as delay } from 'node:timers/promises';
import { programPath } from './debian.ts';
import { type Workspace, waitUntil } from './workspace.ts';

/** A shell in a terminal of 80×24 unless told otherwise. Ends with its workspace. */
export class Tmux {
  readonly #workspace: Workspace;
  readonly #socket: string;

  private constructor(workspace: Workspace, socket: string) {
    this.#workspace = workspace;
    this.#socket = socket;
  }

  /** Starts `sh` with the prompt `$ ` and these variables. */
  static async start(
    workspace: Workspace,
    variables: NodeJS.ProcessEnv = {},
    { columns = 80, rows = 24 } = {},
  ): Promise<Tmux> {
    const terminal = new Tmux(workspace, workspace.path('tmux'));
    const env = {
      ...process.env,
      ENV: '',
      TERM: 'screen-256color',
      LC_ALL: 'C.UTF-8',
      ...variables,
    };
    const size = ['-x', String(columns), '-y', String(rows)];
    await terminal.#call(['-f', '/dev/null', 'new-session', '-d', ...size, 'sh'], env);
    workspace.onEnd(() => terminal.#call(['kill-server']));
    // Root's shell has a prompt of its own.
    await terminal.run("PS1='$ '; clear");
    await terminal.shows(/^\$$/m);
    return terminal;
  }

  #call(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
    return this.#workspace.run(programPath('tmux'), ['-u', '-S', this.#socket, ...args], { env });
  }

  /** What is visible now. */
  screen(): Promise<string> {
    return this.#call(['capture-pane', '-p']);
  }

  /** Presses keys: characters, or tmux's names (`Enter`, `Down`, `Escape`). */
  press(...keys: string[]): Promise<string> {
    return this.#call(['send-keys', ...keys]);
  }

  /** Types a text, and return. */
  async run(command: string): Promise<void> {
    await this.#call(['send-keys', '-l', command]);
    await this.press('Enter');
  }

  /** Waits until the screen matches; gives it. */
  async shows(pattern: RegExp): Promise<string> {
    let screen = '';
    await waitUntil(`the terminal to show ${pattern}`, async () => {
      screen = await this.screen();
      return pattern.test(screen) || undefined;
    }).catch((error) => {
      throw new Error(`${error.message}; it shows:\n${screen}`);
    });
    return screen;
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#call(['resize-window', '-x', String(columns), '-y', String(rows)]);
  }

  /** Whether a program has the whole screen, and whether the cursor can be seen. */
  async modes(): Promise<{ alternate: boolean; cursor: boolean }> {
    const text = await this.#call(['display-message', '-p', '#{alternate_on} #{cursor_flag}']);
    const [alternate, cursor] = text.trim().split(' ');
    return { alternate: alternate === '1', cursor: cursor === '1' };
  }

  /** The process that runs in the foreground. */
  async foreground(): Promise<number> {
    const tty = (await this.#call(['display-message', '-p', '#{pane_tty}'])).trim().replace('/dev/', '');
    const list = await this.#workspace.run('ps', ['-t', tty, '-o', 'pid=,stat=,args=']);
    const line = list.split('\n').find((row) => /^\s*\d+ \S*\+\S* .*node/.test(row));
    if (line === undefined) throw new Error(`nothing runs there:\n${list}`);
    return Number.parseInt(line, 10);
  }

  /** Waits a moment in which nothing may happen. */
  async rests(milliseconds: number): Promise<string> {
    await delay(milliseconds);
    return this.screen();
  }
}
