import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Leaves the alternate screen, shows the cursor, and ends all colours. */
export const restoreSequence = '\u001b[0m\u001b[?25h\u001b[?1049l';

/**
 * Waits for its parent to die, the terminal at 1 and 3, and then does what the parent could not. It says so when it knows
 * how the terminal was; `raw` tells it that the terminal has changed. A shell that edits lines
 * takes its terminal back by itself: it gets time for that, and then only what is still as we left
 * it is put back. `done` ends it.
 *
 * It is not to be stopped for touching the terminal while it is in the background (TTOU).
 */
const script = `
trap '' INT TERM HUP QUIT TSTP TTOU
saved=$(stty -g <&3) || exit 1
echo ready >&2
raw=
while read -r word; do
  case $word in
    raw) raw=$(stty -g <&3) ;;
    done) exit 0 ;;
  esac
done
printf '${restoreSequence.replaceAll('\u001b', '\\033')}'
sleep 0.2 2>/dev/null || sleep 1
[ "$(stty -g <&3)" = "$raw" ] && stty "$saved" <&3
`;

/** No shell takes longer to begin. */
const startWithinMs = 2_000;

/**
 * Sees to it that the terminal is as it was even where this process is killed by a signal that it
 * cannot handle. A machine without `sh` and `stty` has to do without.
 */
export class TerminalGuard {
  readonly #shell: ChildProcess;

  private constructor(shell: ChildProcess) {
    this.#shell = shell;
  }

  /** Resolves when the guard knows the terminal's state; with null where there can be none. */
  static async start(): Promise<TerminalGuard | null> {
    const shell = spawn('sh', ['-c', script], { stdio: ['pipe', 1, 'pipe', 0] });
    shell.on('error', () => {});
    shell.stdin?.on('error', () => {});
    shell.unref();
    const ready = once(shell.stderr!, 'data', { signal: AbortSignal.timeout(startWithinMs) });
    const isReady = await Promise.race([ready.then(() => true), once(shell, 'exit').then(() => false)]).catch(
      () => false,
    );
    shell.stderr?.destroy();
    if (isReady) return new TerminalGuard(shell);
    shell.kill('SIGKILL');
    return null;
  }

  /** The terminal is in raw mode now: that is what has to be undone. */
  terminalChanged(): void {
    this.#shell.stdin?.write('raw\n');
  }

  /** The terminal was put back: there is nothing to do any more. */
  end(): void {
    this.#shell.stdin?.end('done\n');
  }
}
