import { setTimeout as delay } from 'node:timers/promises';
import type { RecordSummary } from '../connection/record-summary.ts';
import type { AdminClient } from './admin-client.ts';
import { createPaint, spread } from './screen/cells.ts';
import { connectionHead, connectionRow } from './screen/connection-columns.ts';
import { Screen } from './screen/screen.ts';
import type { Terminal } from './terminal.ts';

const lookEveryMs = 1_000;

interface Found {
  connections: RecordSummary[];
  total: number;
}

/** `smartproxy connections --watch`: the list, again and again. Rejects where nobody answers any more. */
export async function watchConnections(
  client: AdminClient,
  query: URLSearchParams,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const { stdin, stdout } = process;
  const ask = async (): Promise<Found> => (await client.get(`/api/v1/connections?${query}`)) as Found;
  if (!json && stdin.isTTY && stdout.isTTY) return onScreen(ask);
  for (;;) {
    const found = await ask();
    terminal.out(json ? `${JSON.stringify(found)}\n` : listing(found, 160).join('\n').concat('\n\n'));
    await delay(lookEveryMs);
  }
}

/** Until `q`, control-C or the end of the terminal. */
async function onScreen(ask: () => Promise<Found>): Promise<void> {
  const over = new AbortController();
  let found = await ask();
  const end = (): void => over.abort();
  const redraw = (): void => screen.draw(listing(found, screen.columns, screen.rows));
  const keyPressed = (key: string): void => {
    if (key === 'q' || key === 'ctrl-c') end();
  };
  const screen = new Screen({ keyPressed, redraw, closed: end });
  await screen.enter();
  try {
    while (!over.signal.aborted) {
      redraw();
      await delay(lookEveryMs, undefined, { signal: over.signal }).catch(() => {});
      if (!over.signal.aborted) found = await ask();
    }
  } finally {
    screen.leave();
  }
}

function listing({ connections, total }: Found, columns: number, rows = Number.POSITIVE_INFINITY): string[] {
  const now = Date.now();
  const shown = connections.slice(0, Math.max(0, rows - 2));
  const count = `${total} ${total === 1 ? 'connection' : 'connections'}`;
  const hidden = total > shown.length ? `, ${shown.length} shown` : '';
  return [
    spread(count + hidden, `${new Date(now).toISOString().slice(11, 19)} UTC`, columns),
    createPaint().inverse(connectionHead(columns, '')),
    ...shown.map((record) => connectionRow(record, now, undefined, columns)),
  ];
}
