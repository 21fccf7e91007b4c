import { errorMessage, SmartProxyError } from '../../base/errors.ts';
import { AdminClient } from '../admin-client.ts';
import { createPaint } from '../screen/cells.ts';
import { Screen, type ScreenOwner } from '../screen/screen.ts';
import { wrapped } from '../terminal.ts';
import { takeSnapshot } from './feed.ts';
import { orders, TopState } from './state.ts';
import { renderTop } from './view.ts';

const lookEveryMs = 1_000;
/** More than any terminal has lines. */
const maxListed = 500;

/** `smartproxy top`: a running instance, live, until a key ends it. */
export async function top(choice: { admin?: string | undefined }): Promise<void> {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new SmartProxyError(
      'usage',
      'top needs a terminal (status --json, connections --json and tail --json are for programs)',
      { source: 'config' },
    );
  }
  const live = new LiveTop(new AdminClient(choice.admin));
  await live.run();
}

class LiveTop implements ScreenOwner {
  readonly #client: AdminClient;
  readonly #state = new TopState();
  readonly #screen = new Screen(this);
  readonly #paint = createPaint();
  readonly #ended = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #over = false;

  constructor(client: AdminClient) {
    this.#client = client;
  }

  /** Rejects where nobody can be asked at the beginning; later it goes on asking. */
  async run(): Promise<void> {
    this.#state.use(await takeSnapshot(this.#client, this.#state.query(maxListed)));
    await this.#screen.enter();
    this.redraw();
    this.#timer = setInterval(() => void this.#look(), lookEveryMs);
    try {
      await this.#ended.promise;
    } finally {
      clearInterval(this.#timer);
      this.#screen.leave();
    }
  }

  async #look(): Promise<void> {
    if (this.#asking || this.#state.paused || this.#over) return;
    this.#asking = true;
    try {
      const lost = this.#state.message.startsWith('cannot reach');
      this.#state.use(await takeSnapshot(this.#client, this.#state.query(maxListed)));
      if (lost) this.#state.message = '';
    } catch (error) {
      this.#state.message = errorMessage(error);
    }
    this.#asking = false;
    this.redraw();
  }

  redraw(): void {
    const { columns, rows } = this.#screen;
    this.#screen.draw(renderTop(this.#state, this.#client.place, columns, rows, this.#paint));
  }

  closed(): void {
    this.#over = true;
    this.#ended.resolve();
  }

  keyPressed(key: string): void {
    this.#state.message = '';
    if (key === 'ctrl-c') return this.closed();
    if (this.#state.mode === 'filter') this.#typed(key);
    else if (this.#state.mode === 'confirm') this.#confirmed(key);
    else if (this.#state.mode === 'list') this.#command(key);
    else if (key === 'escape' || key === 'return' || key === 'q') this.#state.mode = 'list';
    this.redraw();
  }

  #command(key: string): void {
    const state = this.#state;
    const page = Math.max(1, this.#screen.rows - 14);
    const moves: Record<string, number> = { up: -1, k: -1, down: 1, j: 1, pageup: -page, pagedown: page };
    if (key in moves) return state.select(state.selectedIndex + moves[key]!);
    switch (key) {
      case 'q':
        return this.closed();
      case 's':
        state.orderIndex = (state.orderIndex + 1) % orders.length;
        return void this.#look();
      case 'r':
        state.descending = !state.descending;
        return void this.#look();
      case 'p':
        state.paused = !state.paused;
        return;
      case '/':
        state.mode = 'filter';
        state.typed = state.filter;
        return;
      case '?':
      case 'h':
        state.mode = 'help';
        return;
      case 'return':
        return void this.#tell();
      case 'x':
        if (state.selected !== undefined) state.mode = 'confirm';
    }
  }

  #typed(key: string): void {
    const state = this.#state;
    if (key === 'return') {
      state.filter = state.typed.trim();
      state.mode = 'list';
      void this.#look();
    } else if (key === 'escape') state.mode = 'list';
    else if (key === 'backspace') state.typed = state.typed.slice(0, -1);
    else if (key.length === 1 && state.typed.length < 200) state.typed += key;
  }

  #confirmed(key: string): void {
    this.#state.mode = 'list';
    const { selectedId } = this.#state;
    if (key !== 'y' || selectedId === null) return;
    this.#client.delete(`/api/v1/connections/${encodeURIComponent(selectedId)}`).then(
      () => this.#say(`ended ${selectedId}`),
      (error) => this.#say(errorMessage(error)),
    );
  }

  async #tell(): Promise<void> {
    const { selectedId } = this.#state;
    if (selectedId === null) return;
    const query = new URLSearchParams({ target: selectedId });
    try {
      const { story = '' } = (await this.#client.get(`/api/v1/explain?${query}`)) as { story?: string };
      this.#state.story = wrapped(story, this.#screen.columns).split('\n');
      this.#state.mode = 'story';
    } catch (error) {
      this.#state.message = errorMessage(error);
    }
    this.redraw();
  }

  #say(message: string): void {
    this.#state.message = message;
    void this.#look();
  }
}
