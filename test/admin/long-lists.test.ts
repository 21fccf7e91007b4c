import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { afterEach, test } from 'node:test';
import { AdminServer } from '../../src/admin/server.ts';
import { eventually } from '../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../support/nothing-left.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { TestControl } from './test-control.ts';

const before = holdings();
const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

/** Connections beyond number, each as large as a record with a long story. */
class CrowdedControl extends TestControl {
  made = 0;
  failAt = Number.POSITIVE_INFINITY;
  readonly #total: number;

  constructor(total: number) {
    super();
    this.#total = total;
  }

  override findConnections = () => ({ connections: this.#all(), total: this.#total });

  *#all(): Iterable<unknown> {
    for (let number = 0; number < this.#total; number++) {
      if (number === this.failAt) throw new Error('the inside of the proxy');
      this.made++;
      yield { number, story: 'x'.repeat(500) };
    }
  }
}

async function start(control: CrowdedControl): Promise<{ server: AdminServer; log: RecordingLog }> {
  const log = new RecordingLog();
  const server = new AdminServer({ listen: '127.0.0.1:0', token: null, control, log });
  servers.push(server);
  await server.start();
  return { server, log };
}

async function ask(server: AdminServer, path: string): Promise<http.IncomingMessage> {
  const request = http.get({ port: new URL(server.address).port, path, agent: false });
  request.on('error', () => {});
  return ((await once(request, 'response')) as [http.IncomingMessage])[0];
}

async function read(response: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

test('a list is whole, whatever its length', async () => {
  for (const total of [0, 1, 99, 100, 101, 5_000]) {
    const { server } = await start(new CrowdedControl(total));
    const answer = JSON.parse(await read(await ask(server, '/api/v1/connections')));
    assert.deepEqual(
      [answer.total, answer.connections.length, answer.connections.at(-1)?.number],
      [total, total, total === 0 ? undefined : total - 1],
    );
  }
});

test('others are answered while a long list is made', async () => {
  const control = new CrowdedControl(100_000);
  const { server } = await start(control);
  const list = read(await ask(server, '/api/v1/connections'));
  await read(await ask(server, '/health'));
  assert.ok(control.made < 100_000, 'health did not wait for the end of the list');
  await list;
  assert.equal(control.made, 100_000);
});

test('nothing is made for a caller that does not read, or has left', async () => {
  const control = new CrowdedControl(100_000);
  const { server } = await start(control);
  const response = await ask(server, '/api/v1/connections');
  response.pause();
  let made = 0;
  await eventually('it waits for the reader', () => {
    const still = control.made === made && made > 0;
    made = control.made;
    return still;
  });
  assert.ok(made < 50_000, `${made}`);
  response.destroy();
  await server.stop();
  assert.ok(control.made < 50_000, `${control.made}`);
});

test('a list that fails in the middle is cut off, so that it cannot be taken for whole', async () => {
  const control = new CrowdedControl(1_000);
  control.failAt = 500;
  const { server, log } = await start(control);
  await assert.rejects(read(await ask(server, '/api/v1/connections')), { code: 'ECONNRESET' });
  assert.deepEqual(
    log.lines.map(({ event }) => event),
    ['admin-call-failed'],
  );
});

test('nothing is left', () => holdsNoMoreThan(before));
