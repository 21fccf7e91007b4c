import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBrowser, WatchedPage } from '../support/browser.ts';
import { hasPrograms } from '../support/debian.ts';
import { backends, clientAddress, KernelStage, kernelRoute, proxyAddress } from './stage.ts';

const admin = '127.0.0.1:9901';

test('the dashboard shows what the kernel forwards, with its packets, and how it ended', async (context) => {
  if (!hasPrograms(context, 'chromium-headless-shell')) return;
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const port = await stage.backends[0].do.listen('::', 0, 'echo');
  const route = kernelRoute('database', 7001, { host: backends[0], port });
  await stage.start([route], { admin: { listen: admin } });
  const browser = await startBrowser(stage.workspace, stage.namespaces.on(stage.namespaces.proxy));
  const watched = await WatchedPage.open(browser, `http://${admin}/#/flows`);
  const { page } = watched;
  await page.getByText('The kernel forwards nothing at this moment.').waitFor();

  const [opened] = await stage.client.do.open(proxyAddress, 7001, 1);
  const id = opened?.id ?? assert.fail(`${opened?.error}`);
  await stage.client.do.send(id, 'x'.repeat(500));
  await stage.client.do.receives(id, 500);
  const row = page.getByRole('row', { name: clientAddress });
  await row.getByText('established').waitFor();
  await row.getByText(`${backends[0]}:${port}`).waitFor();
  // The handshake and a message each way, as the kernel counts them.
  await row.getByRole('cell', { name: /^\d+$/ }).waitFor();
  await row
    .getByText(/^[5-9]\d\d B$/)
    .first()
    .waitFor();

  await row.getByRole('link').click();
  await page.getByText('the kernel (nftables)').waitFor();
  await page.getByText('Established in the kernel').waitFor();
  await stage.client.do.end(id);
  await page.locator('.ending-card').getByText('kernel-closed').waitFor();
  await page.getByRole('link', { name: 'Kernel flows' }).click();
  await page.getByText('Ended lately').waitFor();
  await page.getByRole('row', { name: clientAddress }).getByText('kernel-closed').waitFor();
  await watched.close();
});
