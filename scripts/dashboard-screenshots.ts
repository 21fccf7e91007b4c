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
import type { Browser, Page } from 'playwright-core';
import { startBrowser } from '../test/support/browser.ts';
import { LivelyTraffic } from '../test/support/lively-traffic.ts';
import { Workspace } from '../test/support/workspace.ts';

const folder = join(dirname(import.meta.dirname), 'docs', 'screenshots');
const sizes = { wide: { width: 1280, height: 860 }, narrow: { width: 390, height: 844 } } as const;
const themes = ['light', 'dark'] as const;
/** Until what was asked for has come, and a tick has passed. */
const drawnMs = 2_500;

/** What is done on a page before it is taken, beyond going there. */
const pages: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  overview: async (page) => page.getByText('1 min', { exact: true }).click(),
  connections: busiestFirst,
  connection: async (page) => {
    await busiestFirst(page);
    await page.getByRole('combobox', { name: 'Route' }).selectOption('orders-database');
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

/** By the head of the table where there is one, else by the field for it. */
async function busiestFirst(page: Page): Promise<void> {
  const byHead = page.getByRole('button', { name: 'Rate' });
  const byField = page.getByRole('combobox', { name: 'Order' });
  await byHead.or(byField).waitFor();
  if (await byField.isVisible()) await byField.selectOption('busiest first');
  else if ((await page.locator('[aria-sort=descending]', { has: byHead }).count()) === 0)
    await byHead.click();
}

/** Where a picture begins, where that is not the page of its name. */
const beginnings: Readonly<Record<string, string>> = { connection: 'connections', ended: 'endings' };

interface Camera {
  readonly name: string;
  readonly page: Page;
}

/** One page for each size and theme, open from the beginning: so charts have something to show. */
async function openCameras(browser: Browser, address: string): Promise<Camera[]> {
  const cameras: Camera[] = [];
  for (const colorScheme of themes) {
    for (const [size, viewport] of Object.entries(sizes)) {
      const context = await browser.newContext({ viewport, colorScheme });
      const page = await context.newPage();
      await page.goto(address);
      await page.locator('.light-good').waitFor();
      cameras.push({ name: `${size}-${colorScheme}`, page });
    }
  }
  return cameras;
}

async function take(subject: string, { name, page }: Camera): Promise<void> {
  await page.bringToFront();
  await page.evaluate(`location.hash = '#/${beginnings[subject] ?? subject}'`);
  await pages[subject]?.(page);
  await delay(drawnMs);
  await page.screenshot({ path: join(folder, `${subject}-${name}.png`) });
}

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '75' } },
  allowPositionals: true,
});
const workspace = new Workspace('screenshots');
try {
  const { proxy } = await LivelyTraffic.start(workspace);
  mkdirSync(folder, { recursive: true });
  const browser = await startBrowser(workspace);
  const cameras = await openCameras(browser, proxy.adminAddress ?? '');
  await delay(Number(values.seconds) * 1000);
  for (const subject of positionals.length > 0 ? positionals : Object.keys(pages)) {
    for (const camera of cameras) await take(subject, camera);
    console.log(subject);
  }
} catch (error) {
  // Told before the end, which may have to wait for a browser in trouble.
  console.error(error);
  process.exitCode = 1;
} finally {
  await workspace.end();
}
