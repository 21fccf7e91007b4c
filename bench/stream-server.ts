/**
 * Ends TLS and gives the bytes to a handler: `stream-server.ts tls-server|smartproxy|bare PORT FOLDER`.
 *
 * `tls-server` is a `tls.Server` that listens itself, `smartproxy` a SmartProxy with a handler route, both
 * with the same handler; `bare` is a `tls.Server` that reads and does nothing. The folder has cert.pem and key.pem.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import type { Duplex } from 'node:stream';
import { createServer } from 'node:tls';
import { SmartProxy } from '../src/index.ts';

const [mode = '', portText, folder = ''] = argv.slice(2);
const port = Number(portText);
const address = '127.0.0.1';
const alpn = ['http/1.1'];
const chunk = Buffer.alloc(65_536, 'x');

/** As many bytes as are taken, from the first byte of the client on. */
function serve(stream: Duplex): void {
  const pump = (): void => {
    while (stream.write(chunk));
  };
  stream.on('error', () => undefined);
  stream.once('data', () => stream.on('drain', pump) && pump());
  stream.once('end', () => stream.end());
}

function listen(handle: (stream: Duplex) => void): void {
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => readFileSync(join(folder, name)));
  const server = createServer({ cert, key, ALPNProtocols: alpn, noDelay: true }, handle);
  server.on('tlsClientError', () => undefined);
  server.listen(port, address, 4096);
}

async function startSmartProxy(): Promise<void> {
  const certificate = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  const tls = { certificate, alpn };
  const proxy = new SmartProxy({
    routes: [
      {
        name: 'handler',
        match: { ports: port, address, domains: 'bench.test' },
        action: { type: 'handler', handle: serve, tls },
      },
    ],
    limits: { maxConnections: 8500 },
  });
  await proxy.start();
}

if (mode === 'smartproxy') await startSmartProxy();
else if (mode === 'bare') listen((stream) => stream.on('error', () => undefined).resume());
else listen(serve);
// Whoever started it has gone.
process.on('disconnect', () => process.exit());
