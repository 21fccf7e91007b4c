/** `@fastify/http-proxy`, with undici to the backend as is its default. */
import httpProxy from '@fastify/http-proxy';
import createFastify from 'fastify';
import { isHttp2, listenOptions, targetUrl, tlsOptions, withoutDeadlines } from './serve.js';

const fastify = createFastify({
  logger: false,
  ...(tlsOptions && { https: { ...tlsOptions, ...(isHttp2 && { allowHTTP1: true }) } }),
  ...(isHttp2 && { http2: true }),
});
fastify.register(httpProxy, { upstream: targetUrl, undici: { connections: 1024, pipelining: 1 } });
await fastify.listen(listenOptions);
withoutDeadlines(fastify.server);
