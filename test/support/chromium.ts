/** Chromium without a window, driven over its DevTools protocol: no virtual time, nothing that races. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { programPath } from './debian.ts';
import type { Workspace } from './workspace.ts';

const withoutMachine = [
  ...['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
  ...['--ignore-certificate-errors', '--remote-debugging-port=0'],
];

/** Waits until the page has written something else than "waiting" into the element `answer`. */
const readAnswer = `new Promise((resolve) => {
  const look = () => {
    const text = document.getElementById('answer')?.textContent ?? 'waiting';
    if (text === 'waiting') setTimeout(look, 10);
    else resolve(text);
  };
  look();
})`;

/** Opens a URL whose host is 127.0.0.1 whatever its name, and returns what the page answers; then ends. */
export async function answerOfPage(workspace: Workspace, url: string): Promise<string> {
  const { hostname } = new URL(url);
  const chromium = workspace.start(programPath('chromium-headless-shell'), [
    ...withoutMachine,
    ...[`--host-resolver-rules=MAP ${hostname} 127.0.0.1`, `--user-data-dir=${workspace.path('profile')}`],
    'about:blank',
  ]);
  const [, endpoint = ''] = await chromium.says(/DevTools listening on (ws:\S+)/);
  const browser = new Browser(new WebSocket(endpoint));
  await browser.opened;
  const { targetId } = await browser.call('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await browser.call('Target.attachToTarget', { targetId, flatten: true });
  await browser.call('Page.navigate', { url }, `${sessionId}`);
  const evaluation = { expression: readAnswer, awaitPromise: true };
  const { result } = await browser.call('Runtime.evaluate', evaluation, `${sessionId}`);
  await browser.call('Browser.close');
  await chromium.stop();
  return `${(result as { value?: unknown }).value}`;
}

type Answer = Record<string, unknown>;

class Browser {
  readonly opened: Promise<unknown>;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>();
  #calls = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.opened = once(socket, 'open');
    socket.on('error', () => undefined).on('message', (text) => this.#answered(`${text}`));
  }

  call(method: string, params: Answer = {}, sessionId?: string): Promise<Answer> {
    const id = ++this.#calls;
    const waiting = Promise.withResolvers<Answer>();
    this.#waiting.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    return waiting.promise;
  }

  #answered(text: string): void {
    const { id, result, error } = JSON.parse(text) as { id?: number; result?: Answer; error?: unknown };
    if (id === undefined) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result ?? {});
    else waiting?.reject(new Error(JSON.stringify(error)));
  }
}
