/** The least that Node code can do: `pipe()` both ways. One of the peers that SmartProxy is measured against. */
import { connect, createServer } from 'node:net';
import { argv } from 'node:process';
import { answerProbes } from './probe.ts';

for (const pair of argv.slice(2)) {
  const [port, target] = pair.split(':').map(Number);
  if (port === undefined || target === undefined) throw new Error('usage: pipe-proxy.ts PORT:TARGET …');
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  });
  server.listen(port, '127.0.0.1', 4096);
}
answerProbes();
