import { STATUS_CODES } from 'node:http';
import type { LocalAnswer } from './exchange.ts';

/** What a page says beside the status: to whoever reads it, with nothing of what is behind the proxy. */
const explanations: Readonly<Record<number, string>> = {
  400: 'The request is not valid HTTP.',
  403: 'You may not use this site from where you are.',
  404: 'There is no such site or page here.',
  408: 'The request did not arrive in time.',
  413: 'The request is too large.',
  414: 'The address of the page is too long.',
  417: 'What the request expects cannot be met.',
  421: 'This connection was made for another site. Please open a new one.',
  429: 'There were too many requests from you. Please try again later.',
  431: 'The fields of the request are too large.',
  500: 'Something went wrong on our side.',
  501: 'What the request asks for is not available here.',
  502: 'The server that should have answered did not answer properly.',
  503: 'The server is busy. Please try again later.',
  504: 'The server that should have answered took too long.',
  505: 'This version of HTTP is not spoken here.',
};

/**
 * A page of our own. `requestId` is also in the access log, where the cause is told.
 *
 * @param close the connection ends with it. Default: where the request cannot be told from what follows it
 */
export function errorPage(status: number, requestId: string, close = endsConnection(status)): LocalAnswer {
  const title = `${status} ${STATUS_CODES[status] ?? ''}`.trimEnd();
  const body = `${title}\n\n${explanations[status] ?? ''}\n\nRequest: ${requestId}\n`;
  const fields = [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Cache-Control', 'no-store'],
    ['X-Request-Id', requestId],
  ] as const;
  return { status, fields, body: Buffer.from(body), close };
}

function endsConnection(status: number): boolean {
  return [400, 408, 413, 414, 417, 431, 501, 505].includes(status);
}
