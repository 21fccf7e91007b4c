import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { SmartProxy } from '../../src/index.ts';
import { scoped } from '../support/scoped.ts';

async function greeting(port: number): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

function route(name: string, port: number, address?: string) {
  return {
    name,
    match: { ports: port, ...(address === undefined ? {} : { address }) },
    action: { type: 'handler' as const, handle: (stream: NodeJS.WritableStream) => void stream.end(name) },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// R3
test('a listener that moves from one address to all makes room for itself, or stays when refused', async (t) => {
  const port = await freePort();
  const proxy = scoped(t, new SmartProxy({ routes: [route('one', port, '127.0.0.1')] }));
  await proxy.start();
  assert.equal(await greeting(port), 'one');
  await proxy.updateRoutes([route('all', port)]);
  assert.equal(await greeting(port), 'all');

  const rival = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => rival.once('listening', resolve));
  const taken = (rival.address() as net.AddressInfo).port;
  const refused = proxy.updateRoutes([route('back', port, '127.0.0.1'), route('taken', taken, '127.0.0.1')]);
  await assert.rejects(refused, { code: 'port-taken' });
  assert.equal(await greeting(port), 'all', 'what made room listens again');
  rival.close();
  await proxy.stop();
  assert.equal(proxy.getStatistics().connections.active, 0);
  await assert.rejects(greeting(port), { code: 'ECONNREFUSED' });
});
