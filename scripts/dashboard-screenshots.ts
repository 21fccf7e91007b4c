/**
 * Takes the pictures of docs/screenshots/: every page of the dashboard, wide and narrow, light and dark,
 * with a proxy behind it that has traffic of many kinds.
 *
 *     node scripts/dashboard-screenshots.ts [--seconds 75] [page …]
 */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import { programPath } from '../test/support/debian.ts';
import { LivelyTraffic } from '../test/support/lively-traffic.ts';
import { Workspace } from '../test/support/workspace.ts';

const folder = join(dirname(import.meta.dirname), 'docs', 'screenshots');
const sizes = { wide: { width: 1280, height: 860 }, narrow: { width: 390, height: 844 } } as const;
const themes = ['light', 'dark'] as const;

/** What is done on a page before it is taken, beyond going there. */
const pages: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  overview: async (page) => page.getByText('1 min', { exact: true }).click(),
  connections: async (page) => {
    const order = page.getByRole('button', { name: 'Rate' });
    if (await order.isVisible()) await order.click();
  },
  connection: async (page) => {
    await page.getByRole('combobox', { name: 'Route' }).selectOption('orders-database');
    const order = page.getByRole('button', { name: 'Rate' });
    if (await order.isVisible()) await order.click();
    else await page.getByRole('combobox', { name: 'Order' }).selectOption('busiest first');
    const row = page.locator('tbody tr', { has: page.locator('.moving') }).first();
    await row.getByRole('link').click();
    await page.locator('.way-moving').first().waitFor();
  },
  ended: async (page) => {
    await page.locator('.group').filter({ hasText: 'connect-refused' }).getByRole('button').click();
    await page.locator('.ended-list a').first().click();
    await page.locator('.ending-card').waitFor();
  },
  endings: async () => {},
  routes: async (page) => {
    const field = page.getByLabel('Where to');
    await field.fill((await field.getAttribute('placeholder')) ?? '');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('.explanation').waitFor();
  },
  certificates: async () => {},
  flows: async () => {},
};

/** Where a picture begins, where that is not the page of its name. */
const beginnings: Readonly<Record<string, string>> = { connection: 'connections', ended: 'endings' };

async function take(browser: Browser, address: string, name: string): Promise<void> {
  for (const theme of themes) {
    for (const [size, viewport] of Object.entries(sizes)) {
      const context = await browser.newContext({ viewport, colorScheme: theme, deviceScaleFactor: 1 });
      const page = await context.newPage();
      await page.goto(`${address}/#/${beginnings[name] ?? name}`);
      await page.locator('.light-good').waitFor();
      await pages[name]?.(page);
      await delay(2_500);
      await page.screenshot({ path: join(folder, `${name}-${size}-${theme}.png`) });
      await context.close();
    }
  }
  console.log(name);
}

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '75' } },
  allowPositionals: true,
});
const workspace = new Workspace('screenshots');
try {
  const { proxy } = await LivelyTraffic.start(workspace);
  mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch({
    executablePath: programPath('chromium-headless-shell'),
    args: ['--no-sandbox'],
  });
  workspace.onEnd(() => browser.close());
  await delay(Number(values.seconds) * 1000);
  for (const name of positionals.length > 0 ? positionals : Object.keys(pages))
    await take(browser, proxy.adminAddress ?? '', name);
} finally {
  await workspace.end();
}
