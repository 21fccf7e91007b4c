/**
 * Holds many idle connections, in a process of its own. Told over IPC: `{ open: count }` opens more and
 * answers `opened`; `close` and `reset` end them all in one turn of the event loop, by FIN or RST, and answer `closed`.
 * `{ chat: perSecond }` has any of them say something so often, from then on, and answers `chatting`.
 * With `serve` as its argument it is the backend instead, and only accepts.
 */
import { connect, createServer, type Socket } from 'node:net';
import { argv } from 'node:process';

const [role, portText] = argv.slice(2);
const port = Number(portText);
/** Few at a time: a listener's backlog is bounded. */
const batch = 100;
const sockets: Socket[] = [];

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.off('error', reject).on('error', () => undefined);
      // One byte proves that the pair is whole: the backend sends it back.
      socket.once('data', () => resolve());
      socket.write('x');
    });
    socket.once('error', reject);
    sockets.push(socket);
  });
}

async function openMany(count: number): Promise<void> {
  for (let opened = 0; opened < count; opened += batch) {
    await Promise.all(Array.from({ length: Math.min(batch, count - opened) }, open));
  }
  process.send?.('opened');
}

function closeAll(reset: boolean): void {
  for (const socket of sockets.splice(0)) {
    if (reset) socket.resetAndDestroy();
    else socket.destroy();
  }
  process.send?.('closed');
}

/** A message small enough for one packet. */
const word = Buffer.alloc(200, 'x');
const chatEveryMs = 50;

function chat(perSecond: number): void {
  setInterval(() => {
    for (let count = 0; count < (perSecond * chatEveryMs) / 1000; count++)
      sockets[Math.floor(Math.random() * sockets.length)]?.write(word);
  }, chatEveryMs);
  process.send?.('chatting');
}

if (role === 'serve') {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined).on('data', (bytes) => socket.write(bytes));
  });
  server.listen(port, '127.0.0.1', 4096);
} else {
  process.on('message', (message: { open: number } | { chat: number } | 'close' | 'reset') => {
    if (typeof message === 'string') closeAll(message === 'reset');
    else if ('open' in message) void openMany(message.open);
    else chat(message.chat);
  });
}
process.on('disconnect', () => process.exit());
