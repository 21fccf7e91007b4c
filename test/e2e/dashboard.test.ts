import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import type { SmartProxyOptions } from '../../src/config/schema.ts';
import { startBrowser, WatchedPage } from '../support/browser.ts';
import { hasPrograms } from '../support/debian.ts';
import { ProxyFixture, tcpRoute } from '../support/proxy-fixture.ts';
import { freePort, Workspace } from '../support/workspace.ts';

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
});
