import type { ServerResponse } from 'node:http';
import type { Reply } from './reply.ts';

/** What a page that holds nothing may do: nothing. The dashboard's own page says more. */
const nothingAllowed = "default-src 'none'; frame-ancestors 'none'";

const securityHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': nothingAllowed,
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Writes an answer. A stream goes on by itself afterwards. */
export function writeReply(response: ServerResponse, reply: Reply): void {
  if ('stream' in reply) return beginStream(response, reply);
  const content = 'content' in reply ? reply.content : Buffer.from(`${JSON.stringify(reply.body)}\n`);
  response.writeHead(reply.status, {
    ...securityHeaders,
    'content-type': 'application/json; charset=utf-8',
    ...reply.headers,
    'content-length': content.byteLength,
  });
  response.end(content);
}

function beginStream(
  response: ServerResponse,
  { status, headers, stream }: Extract<Reply, { stream: unknown }>,
): void {
  response.writeHead(status, { ...securityHeaders, ...headers });
  if (response.req.method === 'HEAD') response.end();
  else stream(response);
}
