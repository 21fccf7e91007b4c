import type { ResolvedAction } from '../config/resolved.ts';
import type { Field, HttpRequest, LocalAnswer } from './exchange.ts';

type Redirect = Extract<ResolvedAction, { type: 'redirect' }>;
type Respond = Extract<ResolvedAction, { type: 'respond' }>;

/** `{host}` is the authority without its port, `{path}` without the query, `{query}` with its `?`. */
export function redirectAnswer({ to, status }: Redirect, request: HttpRequest): LocalAnswer {
  const { path, target, host } = request;
  const values: Record<string, string> = {
    '{host}': host.includes(':') ? `[${host}]` : host,
    '{path}': path === '*' ? '/' : path,
    '{query}': target.slice(path.length),
  };
  const location = to.replaceAll(/\{(?:host|path|query)\}/g, (name) => values[name] ?? '');
  return { status, fields: [['Location', location]], body: Buffer.alloc(0), close: false };
}

export function respondAnswer({ status, headers, body }: Respond): LocalAnswer {
  const fields: Field[] = Object.entries(headers);
  const typed = body === '' || fields.some(([name]) => name.toLowerCase() === 'content-type');
  if (!typed) fields.push(['Content-Type', 'text/plain; charset=utf-8']);
  return { status, fields, body: Buffer.from(body), close: false };
}

/** What an authority asked for (RFC 8555 §8.3). It asks no more on the connection, and would leave it open. */
export function challengeAnswer(keyAuthorization: string): LocalAnswer {
  const fields: Field[] = [
    ['Content-Type', 'application/octet-stream'],
    ['Cache-Control', 'no-store'],
  ];
  return { status: 200, fields, body: Buffer.from(keyAuthorization), close: true };
}
