import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { WebSocketServer } from 'ws';
import type { IssuedCertificate } from '../certificates/local-authority.ts';
import { demoPage } from './demo-page.ts';

/** A server of the demo, on a free port of loopback. */
export interface DemoBackend {
  readonly port: number;
  close(): void;
}

/** A web site with a certificate of its own: the proxy forwards its bytes and cannot read them. */
export async function startSite(name: string, certificate: IssuedCertificate): Promise<DemoBackend> {
  const server = https.createServer(certificate, (request, response) => {
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.end(`This is ${name}. You asked for ${request.method} ${request.url}.\n`);
  });
  server.on('tlsClientError', () => {});
  const port = await listen(server);
  return {
    port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A web application that knows nothing of TLS or HTTP/2: a page, what it is told of its clients, and a WebSocket. */
export async function startApplication(): Promise<DemoBackend> {
  const server = http.createServer(answer);
  const sockets = new WebSocketServer({ server, path: '/echo', maxPayload: 65_536 });
  sockets.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  const port = await listen(server);
  return {
    port,
    close() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer({ url, headers }: http.IncomingMessage, response: http.ServerResponse): void {
  const { 'x-forwarded-proto': scheme, 'x-forwarded-for': client, host } = headers;
  response.setHeader('cache-control', 'no-store');
  if (url === '/') response.setHeader('content-type', 'text/html; charset=utf-8').end(demoPage);
  else if (url === '/headers') response.end(`${client} asks for ${scheme}://${host}\n`);
  else response.writeHead(404).end('There is / and /headers, and a WebSocket at /echo.\n');
}

/** Sends back what it gets, until the other side ends. */
export async function startEcho(): Promise<DemoBackend> {
  const open = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  const port = await listen(server);
  return {
    port,
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}
