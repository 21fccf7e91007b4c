/** Chromium without a window, driven by playwright-core: pages as somebody would use them. */
import assert from 'node:assert/strict';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { programPath } from './debian.ts';
import type { Workspace } from './workspace.ts';

/**
 * A browser that ends with the workspace.
 *
 * @param within what makes a command run on another host, in front of it
 */
export async function startBrowser(workspace: Workspace, within: readonly string[] = []): Promise<Browser> {
  const program = programPath('chromium-headless-shell');
  const browser = await chromium.launch({
    executablePath: within.length === 0 ? program : wrapped(workspace, [...within, program]),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  workspace.onEnd(() => browser.close());
  return browser;
}

/** A program that runs a command with its own arguments. */
function wrapped(workspace: Workspace, command: readonly string[]): string {
  return workspace.write('browser', `#!/bin/sh\nexec ${command.join(' ')} "$@"\n`, 0o755);
}

/** A page that listens to its own troubles. */
export class WatchedPage {
  readonly page: Page;
  /** Errors of scripts, refusals of the content security policy, requests to anywhere else. */
  readonly troubles: string[] = [];

  private constructor(page: Page, origin: string) {
    this.page = page;
    page.on('pageerror', (error) => this.troubles.push(error.message));
    page.on('console', (message) => {
      // A refused call is told by the page itself.
      if (message.type() === 'error' && !/status of (400|401|404|503)/.test(message.text()))
        this.troubles.push(message.text());
    });
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== origin) this.troubles.push(`asked for ${request.url()}`);
    });
  }

  /** Opens one in a context of its own: no cookies, no memory. */
  static async open(
    browser: Browser,
    url: string,
    options: BrowserContextOptions = {},
  ): Promise<WatchedPage> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
    const watched = new WatchedPage(await context.newPage(), new URL(url).origin);
    await watched.page.goto(url);
    return watched;
  }

  async close(): Promise<void> {
    assert.deepEqual(this.troubles, []);
    assert.deepEqual(await this.page.context().cookies(), []);
    await this.page.context().close();
  }
}
