import { once } from 'node:events';
import https from 'node:https';
import net from 'node:net';
import type { IssuedCertificate } from '../certificates/local-authority.ts';

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
