import { emitKeypressEvents } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';
import { restoreSequence, TerminalGuard } from './terminal-guard.ts';

const enterSequence = '\u001b[?1049h\u001b[?25l';
const endOfLine = '\u001b[K';
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface ScreenOwner {
  /** A key by its name (`up`, `return`, `escape`, `ctrl-c`), or the character that it types. */
  keyPressed(key: string): void;
  /** The size has changed, or the terminal was somebody else's for a while: draw everything. */
  redraw(): void;
  /** Nobody looks any more. */
  closed(): void;
}

/**
 * The whole terminal, until `leave`: other programs' lines are under it and come back. However this
 * process ends, the terminal is as it was.
 */
export class Screen {
  readonly #input: ReadStream = process.stdin;
  readonly #output: WriteStream = process.stdout;
  readonly #owner: ScreenOwner;
  #guard: TerminalGuard | null = null;
  #entered = false;
  #drawn = '';

  constructor(owner: ScreenOwner) {
    this.#owner = owner;
  }

  get columns(): number {
    return this.#output.columns || 80;
  }

  get rows(): number {
    return this.#output.rows || 24;
  }

  async enter(): Promise<void> {
    this.#guard = await TerminalGuard.start();
    this.#listen();
    this.#take();
  }

  #take(): void {
    this.#entered = true;
    this.#drawn = '';
    this.#input.setRawMode(true);
    this.#guard?.terminalChanged();
    this.#output.write(enterSequence);
  }

  #giveBack(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.#output.write(restoreSequence);
    this.#input.setRawMode(false);
  }

  /** Puts the terminal back. Idempotent. */
  leave(): void {
    this.#giveBack();
    this.#guard?.end();
    this.#guard = null;
    process.off('exit', this.#onExit).off('SIGCONT', this.#onContinue);
    for (const signal of endingSignals) process.off(signal, this.#onSignal);
    this.#input.off('keypress', this.#onKey).off('end', this.#onGone).off('error', this.#onGone).pause();
    this.#output.off('resize', this.#onResize).off('error', this.#onGone);
  }

  #listen(): void {
    emitKeypressEvents(this.#input);
    process.on('exit', this.#onExit).on('SIGCONT', this.#onContinue);
    for (const signal of endingSignals) process.on(signal, this.#onSignal);
    this.#input.on('keypress', this.#onKey).on('end', this.#onGone).on('error', this.#onGone).resume();
    this.#output.on('resize', this.#onResize).on('error', this.#onGone);
  }

  /** Lines from the top; what does not fit is cut off by the caller. Written only if something changed. */
  draw(lines: readonly string[]): void {
    if (!this.#entered) return;
    const visible = lines.slice(0, this.rows);
    const text = visible.map((line) => line + endOfLine).join('\r\n');
    if (text === this.#drawn) return;
    this.#drawn = text;
    this.#output.write(`\u001b[H${text}\u001b[J`);
  }

  readonly #onKey = (text: string | undefined, key: { name?: string; ctrl?: boolean }): void => {
    if (key.ctrl && key.name === 'z') return this.#suspend();
    const isCharacter = text !== undefined && text.length === 1 && text >= ' ' && text !== '\u007f';
    const name = isCharacter ? text : (key.name ?? '');
    if (name !== '') this.#owner.keyPressed(key.ctrl ? `ctrl-${key.name}` : name);
  };

  #suspend(): void {
    this.#giveBack();
    process.kill(process.pid, 'SIGTSTP');
  }

  readonly #onContinue = (): void => {
    if (!this.#entered) this.#take();
    this.#owner.redraw();
  };

  readonly #onResize = (): void => {
    this.#drawn = '';
    this.#owner.redraw();
  };

  readonly #onExit = (): void => this.#giveBack();

  readonly #onGone = (): void => this.#owner.closed();

  /** Ends as it would have ended without us, so that whoever waits sees by which signal. */
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.leave();
    process.kill(process.pid, signal);
  };
}
