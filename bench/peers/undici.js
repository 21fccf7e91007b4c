/** What one writes by hand: `node:http` in front, a pool of undici behind, streamed with backpressure. */
import { Pool } from 'undici';
import { serve, targetUrl } from './serve.js';

const pool = new Pool(targetUrl, { connections: 1024, pipelining: 1 });
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function requestHeaders(request) {
  const headers = { 'x-forwarded-for': request.socket.remoteAddress };
  for (const [name, value] of Object.entries(request.headers)) {
    if (!name.startsWith(':') && !hopByHop.has(name)) headers[name] = value;
  }
  headers.host ??= request.headers[':authority'];
  return headers;
}

function responseHeaders(headers) {
  const kept = {};
  for (const [name, value] of Object.entries(headers)) if (!hopByHop.has(name)) kept[name] = value;
  return kept;
}

/** One answer on its way: undici tells what comes, backpressure goes back to it. */
function relayTo(response) {
  return {
    onRequestStart(controller) {
      response.once('close', () => {
        if (!response.writableFinished) controller.abort(new Error('the client has gone'));
      });
      response.on('drain', () => controller.resume());
    },
    onResponseStart(_controller, status, headers) {
      response.writeHead(status, responseHeaders(headers));
    },
    onResponseData(controller, chunk) {
      if (!response.write(chunk)) controller.pause();
    },
    onResponseEnd() {
      response.end();
    },
    onResponseError() {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    },
  };
}

serve((request, response) => {
  const { method, url } = request;
  const body = method === 'GET' || method === 'HEAD' ? null : request;
  pool.dispatch({ method, path: url, headers: requestHeaders(request), body }, relayTo(response));
});
