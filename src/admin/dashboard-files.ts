import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { type ContentReply, failure, type Reply } from './reply.ts';

/** What vite made of dashboard/, beside this file: in a clone it is checked to be fresh, and the package has it. */
const folder = new URL('./static/', import.meta.url);

/** Nothing from elsewhere, no inline script or style, no string that becomes a script, in no frame. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const files: Readonly<Record<string, readonly [name: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/dashboard.js': ['dashboard.js', 'text/javascript; charset=utf-8'],
  '/dashboard.css': ['dashboard.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
};

/** Whether a page may have it without a token: there is nothing of this proxy in it, and it is what asks for the token. */
export function isDashboardFile({ method, url = '' }: IncomingMessage): boolean {
  return (method === 'GET' || method === 'HEAD') && Object.hasOwn(files, pathOf(url));
}

/** The answer for one of them. Call it where `isDashboardFile`. */
export async function dashboardFile({ url = '' }: IncomingMessage): Promise<Reply> {
  const [name, type] = files[pathOf(url)] ?? ['', ''];
  try {
    return { status: 200, content: await readFile(new URL(name, folder)), headers: headersOf(type) };
  } catch {
    return failure(404, 'not-found', 'the dashboard is not in this installation');
  }
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

function headersOf(type: string): ContentReply['headers'] {
  return {
    'content-type': type,
    'content-security-policy': contentSecurityPolicy,
    'cross-origin-opener-policy': 'same-origin',
  };
}
