import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ListReply, Reply, StreamReply } from './reply.ts';

/** What a page that holds nothing may do: nothing. The dashboard's own page says more. */
const nothingAllowed = "default-src 'none'; frame-ancestors 'none'";

const securityHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': nothingAllowed,
  'content-type': 'application/json; charset=utf-8',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Items that are made in one turn of the event loop: thousands at once would make every connection wait. */
const itemsPerTurn = 100;
/** A caller that takes nothing of a long answer for so long does not get the rest. */
const takenWithinMs = 30_000;

/** Writes an answer; a stream goes on by itself afterwards. Rejects where a list cannot be written to its end. */
export async function writeReply(response: ServerResponse, reply: Reply): Promise<void> {
  if ('stream' in reply) return beginStream(response, reply);
  if ('items' in reply) return writeList(response, reply);
  const content = 'content' in reply ? reply.content : Buffer.from(`${JSON.stringify(reply.body)}\n`);
  response.writeHead(reply.status, {
    ...securityHeaders,
    ...reply.headers,
    'content-length': content.byteLength,
  });
  response.end(content);
}

function beginStream(response: ServerResponse, { status, headers, stream }: StreamReply): void {
  response.writeHead(status, { ...securityHeaders, ...headers });
  if (response.req.method === 'HEAD') response.end();
  else stream(response);
}

/** `{"name":[…],"other":…}`, a slice in each turn, and no faster than it is taken. */
async function writeList(
  response: ServerResponse,
  { status, name, items, others }: ListReply,
): Promise<void> {
  response.writeHead(status, securityHeaders);
  if (response.req.method === 'HEAD') return void response.end();
  let text = `{${JSON.stringify(name)}:[`;
  let count = 0;
  for (const item of items) {
    text += count === 0 ? JSON.stringify(item) : `,${JSON.stringify(item)}`;
    if (++count % itemsPerTurn > 0) continue;
    await taken(response, response.write(text));
    text = '';
    if (response.destroyed) return;
  }
  const rest = JSON.stringify(others).slice(1, -1);
  response.end(`${text}]${rest === '' ? '' : `,${rest}`}}\n`);
}

async function taken(response: ServerResponse, atOnce: boolean): Promise<void> {
  if (atOnce || response.destroyed) return nextTurn();
  const left = new AbortController();
  const onClose = (): void => left.abort();
  response.once('close', onClose);
  const signal = AbortSignal.any([left.signal, AbortSignal.timeout(takenWithinMs)]);
  await once(response, 'drain', { signal }).catch(() => response.destroy());
  response.off('close', onClose);
}
