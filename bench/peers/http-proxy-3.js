/** `http-proxy-3`: the successor of http-proxy. */
import { createProxyServer } from 'http-proxy-3';
import { agent, serve, targetUrl } from './serve.js';

const proxy = createProxyServer({ target: targetUrl, agent, xfwd: true });
proxy.on('error', (_error, _request, response) => response.destroy?.());
serve((request, response) => proxy.web(request, response));
