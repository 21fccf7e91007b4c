import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import type { SmartProxyOptions } from '../../src/config/schema.ts';
import { startBrowser, WatchedPage } from '../support/browser.ts';
import { hasPrograms } from '../support/debian.ts';
import { ProxyFixture, tcpRoute } from '../support/proxy-fixture.ts';
import { freePort, Workspace, waitUntil } from '../support/workspace.ts';

interface Stage {
  readonly workspace: Workspace;
  readonly fixture: ProxyFixture;
  readonly browser: Browser;
  readonly address: string;
}

async function startStage(t: TestContext, admin: SmartProxyOptions['admin']): Promise<Stage> {
  const workspace = Workspace.of(t, 'dashboard');
  const echo = await startEcho(workspace);
  const routes = [tcpRoute('echo', echo), tcpRoute('closed', await freePort())];
  const fixture = await ProxyFixture.start(workspace, routes, { ...(admin !== undefined && { admin }) });
  const browser = await startBrowser(workspace);
  return { workspace, fixture, browser, address: fixture.proxy.adminAddress ?? '' };
}

async function startEcho(workspace: Workspace): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function connectTo(stage: Stage, route: string): Promise<Socket> {
  const socket = net.connect(stage.fixture.portOf(route), '127.0.0.1');
  socket.on('error', () => {}).resume();
  stage.workspace.onEnd(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Waits until a connection has ended, however. */
function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once('close', () => resolve());
  });
}

async function eventuallyActive(stage: Stage, count: number): Promise<void> {
  await waitUntil(`${count} connections`, () => {
    return stage.fixture.proxy.getStatistics().connections.active === count || undefined;
  });
}

const loopback = { listen: '127.0.0.1:0' };
const rowOf = (page: Page, socket: Socket) =>
  page.getByRole('row', { name: `127.0.0.1:${socket.localPort}` });

describe('the dashboard in Chromium', () => {
  it('shows a connection appear, its bytes move, and its end by a click', async (t) => {
    if (!hasPrograms(t, 'chromium-headless-shell')) return;
    const stage = await startStage(t, loopback);
    const watched = await WatchedPage.open(stage.browser, `${stage.address}/#/connections`);
    const { page } = watched;
    await page.getByText('No connection is like that').waitFor();

    const client = await connectTo(stage, 'echo');
    const row = rowOf(page, client);
    await row.getByText('established').waitFor();
    await row.getByText('echo').waitFor();
    client.write(Buffer.alloc(50_000));
    await row.getByText('50.0 kB', { exact: true }).first().waitFor();
    await row.getByText('/s').waitFor();
    await row.getByText('idle').waitFor();

    const reset = new Promise((resolve) => client.once('close', resolve));
    await row.getByRole('button', { name: 'End the connection' }).click();
    await page.getByRole('dialog').getByText('on route echo').waitFor();
    assert.equal(stage.fixture.proxy.getStatistics().connections.active, 1, 'not before it is confirmed');
    await page.getByRole('button', { name: 'End it' }).click();
    await reset;
    await row.waitFor({ state: 'detached' });
    assert.equal((await stage.fixture.ending()).termination?.reason, 'operator');
    await page.getByRole('link', { name: 'Endings' }).click();
    await page.getByText('by an operator').waitFor();
    await watched.close();
  });

  it('tells a connection as it lives, and why it has ended', async (t) => {
    if (!hasPrograms(t, 'chromium-headless-shell')) return;
    const stage = await startStage(t, loopback);
    const client = await connectTo(stage, 'echo');
    const watched = await WatchedPage.open(stage.browser, `${stage.address}/#/connections`);
    const { page } = watched;
    await rowOf(page, client).getByRole('link').click();
    for (const step of ['Route chosen', 'Dialing', 'Connected', 'still open'])
      await page.locator('.timeline').getByText(step).first().waitFor();
    await page.getByText('inactivityMs').waitFor();
    const received = page.locator('.way-right');
    await received.getByText('0 B').waitFor();
    client.write(Buffer.alloc(2_000));
    await received.getByText('2.00 kB', { exact: true }).waitFor();
    client.end();
    await page.locator('.ending-card').getByText('client-closed').waitFor();
    await page.locator('.ending-card').getByText('The client sent the first FIN').waitFor();
    await page.locator('.story').waitFor();
    await page.getByText('Ended: client-closed').waitFor();
    assert.equal(await page.getByText('What it waits for').count(), 0);
    await watched.close();
  });

  it('filters, sorts and stands still, with the mouse and with keys alone', async (t) => {
    if (!hasPrograms(t, 'chromium-headless-shell')) return;
    const stage = await startStage(t, loopback);
    const [quiet, busy] = [await connectTo(stage, 'echo'), await connectTo(stage, 'echo')];
    busy.write(Buffer.alloc(9_000));
    const watched = await WatchedPage.open(stage.browser, stage.address);
    const { page } = watched;
    await page.getByText('Endings by reason').waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('c');
    await page.getByText('9.00 kB', { exact: true }).first().waitFor();
    const clients = async (): Promise<(string | null)[]> => page.locator('.cell-client').allTextContents();
    const names = [quiet, busy].map((socket) => `127.0.0.1:${socket.localPort}`);
    await page.getByRole('button', { name: 'Received' }).click();
    assert.deepEqual(await clients(), names.toReversed());
    await page.getByRole('button', { name: 'Received' }).click();
    assert.deepEqual(await clients(), names);
    assert.equal(await page.locator('[aria-sort=ascending]').textContent(), 'Received');

    await page.keyboard.press('/');
    await page.keyboard.type('nobody');
    await page.getByText('No connection is like that').waitFor();
    assert.match(page.url(), /name=nobody/, 'a filter can be sent to somebody');
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('combobox', { name: 'State' }).selectOption('established');
    assert.equal((await clients()).length, 2);

    await page.getByRole('heading', { name: 'Connections' }).click();
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'Go on' }).waitFor();
    quiet.destroy();
    await eventuallyActive(stage, 1);
    await delay(1_500);
    assert.equal((await clients()).length, 2, 'it stands still');
    await page.keyboard.press('p');
    await rowOf(page, quiet).waitFor({ state: 'detached' });

    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('x');
    await page.getByRole('dialog', { name: 'End this connection?' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.keyboard.press('Enter');
    await page.locator('.timeline').waitFor();
    assert.match(page.url(), /#\/connections\//);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await watched.close();
  });

  it('asks for the token, and shows nothing without the right one', async (t) => {
    if (!hasPrograms(t, 'chromium-headless-shell')) return;
    const stage = await startStage(t, { ...loopback, token: 'the-right-token' });
    const watched = await WatchedPage.open(stage.browser, `${stage.address}/#/connections`);
    const { page } = watched;
    const field = page.getByRole('textbox', { name: 'Token' });
    await field.fill('a guess');
    await page.keyboard.press('Enter');
    await page.getByText('That is not the token.').waitFor();
    assert.equal(await page.locator('.version').count(), 0);
    await page.keyboard.press('Escape');
    assert.equal(await field.isVisible(), true, 'it stays until it has its answer');
    await field.fill('the-right-token');
    await page.keyboard.press('Enter');
    await page.getByText('Ready').waitFor();
    await page.reload();
    await page.getByText('Ready').waitFor();
    await page.getByRole('link', { name: 'Routes' }).click();
    await page.getByText('forwards the bytes to').first().waitFor();
    await watched.close();
  });

  it('explains why a route is not taken, groups endings with their meaning, and asks nobody else', async (t) => {
    if (!hasPrograms(t, 'chromium-headless-shell')) return;
    const stage = await startStage(t, loopback);
    for (let count = 0; count < 3; count++) await gone(await connectTo(stage, 'closed'));
    const watched = await WatchedPage.open(stage.browser, `${stage.address}/#/endings`);
    const { page } = watched;
    const group = page.locator('.group', { hasText: 'connect-refused' });
    await group.getByText('3 · 100 %').waitFor();
    await group.getByText("Nothing listens at the target's port.").waitFor();
    await group.getByText(/smartproxy explain \S+/).waitFor();
    await group.getByRole('button', { name: 'Show the newest' }).click();
    await group.getByRole('link').first().click();
    await page.locator('.story').getByText('refused').waitFor();

    await page.getByRole('link', { name: 'Routes' }).click();
    await page.getByRole('textbox', { name: 'Where to' }).fill(`tcp://:${stage.fixture.portOf('echo')}`);
    await page.keyboard.press('Enter');
    await page.locator('.candidate-chosen').getByText('echo').waitFor();
    await page.locator('.candidate-no-match').getByText('closed').waitFor();
    await page.getByRole('textbox', { name: 'Where to' }).fill('nonsense');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('is no target').waitFor();
    await watched.close();
  });

  it('is readable at 390 pixels: no page is wider, in light and in dark', async (t) => {
    if (!hasPrograms(t, 'chromium-headless-shell')) return;
    const stage = await startStage(t, loopback);
    await gone(await connectTo(stage, 'closed'));
    const client = await connectTo(stage, 'echo');
    for (const colorScheme of ['light', 'dark'] as const) {
      const viewport = { width: 390, height: 844 };
      const watched = await WatchedPage.open(stage.browser, stage.address, { viewport, colorScheme });
      const { page } = watched;
      await page.getByText('Ready').waitFor();
      for (const name of ['Overview', 'Connections', 'Endings', 'Routes', 'Certificates', 'Kernel flows']) {
        await page.getByRole('link', { name }).click();
        await page.getByRole('heading', { name, level: 1 }).waitFor();
        assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390, name);
      }
      await page.getByRole('link', { name: 'Connections' }).click();
      await rowOf(page, client).getByRole('link').click();
      await page.locator('.timeline').waitFor();
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390, 'one connection');
      const [page_, text] = await page.evaluate<string[]>(
        '[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]',
      );
      const isDark = (colour = ''): boolean => Number(/\d+/.exec(colour)?.[0]) < 128;
      assert.deepEqual([isDark(page_), isDark(text)], colorScheme === 'dark' ? [true, false] : [false, true]);
      await watched.close();
    }
  });

  it('says when the proxy drains and is gone, and is live again when it is back', async (t) => {
    if (!hasPrograms(t, 'chromium-headless-shell')) return;
    const stage = await startStage(t, { listen: `127.0.0.1:${await freePort()}` });
    const client = await connectTo(stage, 'echo');
    const watched = await WatchedPage.open(stage.browser, `${stage.address}/#/connections`);
    const { page } = watched;
    await rowOf(page, client).waitFor();
    const stopped = stage.fixture.proxy.stop({ graceMs: 60_000 });
    await page.getByText('Draining: no new connections').waitFor();
    client.end();
    await stopped;
    // What was counted begins anew with the next start.
    stage.fixture.endings.splice(0);
    await page.getByText('Stopped, waiting for it to come back').waitFor();
    await stage.fixture.proxy.start();
    await page.getByText('Ready').waitFor();
    await page.getByText('No connection is like that').waitFor();
    watched.troubles.splice(
      0,
      Number.POSITIVE_INFINITY,
      ...watched.troubles.filter((text) => !/ERR_CONNECTION_REFUSED/.test(text)),
    );
    await watched.close();
  });
});
