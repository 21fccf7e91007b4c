/**
 * The backend of the soak: `soak-backend.ts HTTP_PORT TCP_PORT`. It is killed again and again.
 *
 * HTTP: `GET /bytes/N` answers N known bytes, with a length or in chunks; `GET /slow/N` takes its time over them;
 * `POST /echo` sends back what comes; an upgrade is accepted, and its bytes come back. TCP: bytes come back.
 */
import { createHash } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { argv } from 'node:process';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { acceptOf, knownBytes } from './soak-protocol.ts';

const [httpPort, tcpPort] = argv.slice(2).map(Number);
const slowPieces = 8;
const slowPauseMs = 40;

function echo(stream: Duplex): void {
  stream.on('error', () => undefined);
  stream.pipe(stream);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, what, countText] = (request.url ?? '').split('/');
  const bytes = knownBytes(Number(countText));
  if (what === 'echo') {
    request.pipe(response);
  } else if (what === 'slow') {
    for (let piece = 0; piece < slowPieces && !response.destroyed; piece++) {
      const [from, to] = [piece, piece + 1].map((index) => Math.floor((bytes.length * index) / slowPieces));
      response.write(bytes.subarray(from, to));
      await delay(slowPauseMs);
    }
    response.end();
  } else if (bytes.length % 2 === 0) {
    response.end(bytes);
  } else {
    response.write(bytes.subarray(0, 1));
    response.end(bytes.subarray(1));
  }
}

const http = createHttpServer((request, response) => {
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  void answer(request, response);
});
http.on('upgrade', (request, socket, head) => {
  const accept = acceptOf(request.headers['sec-websocket-key'] ?? '', createHash('sha1'));
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.write(head);
  echo(socket);
});
// Idle connections are the proxy's to end: this backend ends them by being killed.
http.keepAliveTimeout = 3_600_000;
http.listen(httpPort, '127.0.0.1', 4096, () => {
  createServer({ allowHalfOpen: true }, echo).listen(tcpPort, '127.0.0.1', 4096, () =>
    process.send?.('ready'),
  );
});
process.on('disconnect', () => process.exit());
