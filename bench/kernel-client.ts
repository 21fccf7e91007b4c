/** A client of nftables.ts on a host of its own: makes connections, each with one request, at a steady rate. */
import { connect } from 'node:net';

export interface ClientTask {
  host: string;
  port: number;
  count: number;
  perSecond: number;
}

export interface ClientResult {
  done: number;
  failed: number;
  seconds: number;
}

/**
 * Each connection has a port of its own, one after the other: what a system does that chooses ports itself
 * depends on what is left of earlier connections, and one connection may then be two flows.
 */
const firstPort = 10_000;
const request = 'GET / HTTP/1.0\r\n\r\n';
/** How often the connections are begun that are due. */
const tickMs = 5;

function exchange(host: string, port: number, localPort: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localPort });
    let answered = false;
    socket.on('connect', () => socket.write(request));
    socket.on('data', () => {
      answered = true;
    });
    socket.on('error', () => {}).on('close', () => resolve(answered));
  });
}

async function run({ host, port, count, perSecond }: ClientTask): Promise<ClientResult> {
  const startedAt = performance.now();
  const exchanges: Promise<boolean>[] = [];
  while (exchanges.length < count) {
    const due = Math.min(count, ((performance.now() - startedAt) / 1000) * perSecond);
    while (exchanges.length < due) exchanges.push(exchange(host, port, firstPort + exchanges.length));
    await new Promise((resolve) => setTimeout(resolve, tickMs));
  }
  const answers = await Promise.all(exchanges);
  const done = answers.filter((answered) => answered).length;
  return { done, failed: count - done, seconds: (performance.now() - startedAt) / 1000 };
}

process.on('message', async (task: ClientTask) => process.send?.(await run(task)));
