import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { OnDemand } from '../../../src/certificates/acme/on-demand/on-demand.ts';
import type { Route } from '../../../src/config/schema.ts';
import { eventually } from '../../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { RecordingLog } from '../../support/recording-log.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { freePort } from '../../support/workspace.ts';
import { acmeStage, issued, ordering, shown, site, startProxy, told } from './stage.ts';

const before = holdings();
const dayMs = 86_400_000;

/** Everybody's site below a domain. */
const wildcard: Route = site('*.example');

/** Alerts that a client gets: the name is none of ours; there is no certificate at this moment. */
const refused = 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME';
const unavailable = 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR';

test('a name is ordered when a client first asks for it, once, if it may', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const asked: string[] = [];
  const ask = async (name: string): Promise<boolean> => {
    asked.push(name);
    return name.startsWith('good');
  };
  const fixture = await startProxy(workspace, [wildcard], ordering(authority, { ask }));
  const port = fixture.portOf('*.example');
  assert.equal(authority.orders.length, 0);
  const answers = await Promise.all(Array.from({ length: 10 }, () => shown(port, 'good.example')));
  assert.equal(new Set(answers).size, 1);
  assert.match(answers[0] ?? '', /^Authority /);
  assert.equal(await shown(port, 'GOOD.example'), answers[0]);
  assert.deepEqual([asked, authority.orders.length], [['good.example'], 1]);
  assert.equal(await shown(port, 'bad.example'), refused);
  assert.equal(await shown(port, 'bad.example'), refused);
  assert.deepEqual([asked, authority.orders.length], [['good.example', 'bad.example'], 1]);
});

test('what no authority certifies is not even asked about', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const asked: string[] = [];
  const ask = (name: string): boolean => asked.push(name) > 0;
  const any: Route = { ...site('any'), match: { ports: 0, address: '127.0.0.1', domains: '*' } };
  const fixture = await startProxy(workspace, [any], ordering(authority, { ask }));
  const port = fixture.portOf('any');
  for (const name of ['localdomain', 'under_score.example', 'a..example', '-.example', 'x'.repeat(64)]) {
    assert.match(await shown(port, name), /ERR_SSL/, name);
  }
  assert.deepEqual([asked, authority.orders], [[], []]);
});

test('a URL is asked with the name, and only a status of 2xx is a yes', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const asked: string[] = [];
  const server = http.createServer(({ url = '' }, response) => {
    asked.push(url);
    response.writeHead(url.includes('good') ? 204 : 403).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => void server.close());
  const ask = `http://127.0.0.1:${(server.address() as AddressInfo).port}/may?key=1`;
  const fixture = await startProxy(workspace, [wildcard], ordering(authority, { ask }));
  const port = fixture.portOf('*.example');
  assert.match(await shown(port, 'good.example'), /^Authority /);
  assert.equal(await shown(port, 'bad.example'), refused);
  assert.deepEqual(asked, ['/may?key=1&domain=good.example', '/may?key=1&domain=bad.example']);
});

test('where nobody answers nothing is ordered, and the log says why', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const answers: Record<string, () => unknown> = {
    'throws.example': () => {
      throw new Error('the database is down');
    },
    'odd.example': () => 'yes',
  };
  const ask = (name: string): boolean => answers[name]?.() as boolean;
  const functions = await startProxy(workspace, [wildcard], ordering(authority, { ask }));
  assert.equal(await shown(functions.portOf('*.example'), 'throws.example'), unavailable);
  assert.equal(await shown(functions.portOf('*.example'), 'odd.example'), unavailable);
  const acme = ordering(authority, { ask: `http://127.0.0.1:${await freePort()}/` });
  const url = await startProxy(workspace, [wildcard], acme, { stateDirectory: workspace.path('other') });
  assert.equal(await shown(url.portOf('*.example'), 'a.example'), unavailable);
  const errors = [functions, url].flatMap(({ log }) =>
    log.lines
      .filter(({ event }) => event === 'certificate-ask-failed')
      .map(({ fields }) => String(fields.error)),
  );
  assert.match(errors.join('\n'), /database is down\n.*gave string, and not true or false\n.*ECONNREFUSED/);
  assert.equal(authority.orders.length, 0);
});

test('new names have a rate, and more come later', async () => {
  const clock = new VirtualClock();
  const policy = new OnDemand({ clock, log: new RecordingLog(), ask: () => true });
  const allowed = async (name: string, isNew = true): Promise<string> => {
    const refusal = await policy.refusal(name, isNew, new AbortController().signal);
    return refusal?.code ?? 'allowed';
  };
  for (let count = 0; count < 20; count++) assert.equal(await allowed(`n${count}.example`), 'allowed');
  assert.equal(await allowed('more.example'), 'certificate-busy');
  assert.equal(await allowed('renewed.example', false), 'allowed');
  clock.advance(3_000);
  assert.deepEqual(
    [await allowed('one.example'), await allowed('two.example')],
    ['allowed', 'certificate-busy'],
  );
  clock.advance(60_000);
  for (let count = 0; count < 20; count++) assert.equal(await allowed(`m${count}.example`), 'allowed');
  assert.equal(await allowed('again.example'), 'certificate-busy');
});

test('a no is remembered for a minute', async () => {
  const clock = new VirtualClock();
  let asked = 0;
  const ask = (): boolean => asked++ < 0;
  const policy = new OnDemand({ clock, log: new RecordingLog(), ask });
  const refuse = async (): Promise<void> => {
    const refusal = await policy.refusal('bad.example', true, new AbortController().signal);
    assert.equal(refusal?.code, 'certificate-not-allowed');
  };
  await refuse();
  await refuse();
  clock.advance(59_999);
  await refuse();
  assert.equal(asked, 1);
  clock.advance(1);
  await refuse();
  assert.equal(asked, 2);
});

test('after a restart a name is served from the store, without a question', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const first = await startProxy(workspace, [wildcard], ordering(authority, { ask: () => true }));
  const certificate = await shown(first.portOf('*.example'), 'a.example');
  await first.proxy.stop();
  const ask = (): boolean => {
    throw new Error('nobody is to be asked');
  };
  const second = await startProxy(workspace, [wildcard], ordering(authority, { ask }));
  assert.equal(await shown(second.portOf('*.example'), 'a.example'), certificate);
  assert.deepEqual(
    (second.proxy.control.certificates() as { names: string[] }[]).map(({ names }) => names),
    [['a.example']],
  );
});

test('a name that nobody uses, or that may not any more, is not renewed', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t, { renewalInfo: false });
  const allowed = new Set(['used.example', 'unused.example', 'gone.example']);
  const acme = ordering(authority, { ask: (name) => allowed.has(name) });
  const fixture = await startProxy(workspace, [wildcard], acme, {}, { clock });
  const port = fixture.portOf('*.example');
  for (const name of allowed) assert.match(await shown(port, name), /^Authority /);
  clock.skip(50 * dayMs);
  allowed.delete('gone.example');
  for (const name of ['used.example', 'gone.example']) assert.match(await shown(port, name), /^Authority /);
  for (let day = 0; day < 14; day++) {
    clock.skip(dayMs);
    await new Promise(setImmediate);
  }
  await issued(fixture, ['used.example'], 2);
  await eventually('two are given up', () => {
    return fixture.log.events().filter((event) => event === 'certificate-given-up').length === 2;
  });
  assert.deepEqual(
    [authority.ordersFor('unused.example').length, authority.ordersFor('gone.example').length],
    [1, 1],
  );
  assert.equal(told(fixture, 'certificate-failed', 'gone.example').length, 0);
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
