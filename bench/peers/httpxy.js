/** `httpxy`: the proxy of UnJS. */
import { createProxyServer } from 'httpxy';
import { agent, serve, targetUrl } from './serve.js';

const proxy = createProxyServer({ target: targetUrl, agent, xfwd: true });
proxy.on('error', (_error, _request, response) => response.destroy?.());
serve((request, response) => proxy.web(request, response));
