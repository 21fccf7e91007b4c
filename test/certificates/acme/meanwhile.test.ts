import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { problem } from '../../support/authority/acme-authority.ts';
import { eventually } from '../../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { accepts } from '../../support/workspace.ts';
import { acmeStage, failed, issued, ordering, shown, site, startProxy, statusOf, told } from './stage.ts';

const before = holdings();
const dayMs = 86_400_000;

// C2
test('many handshakes while a name is ordered for the first time wait for the one order', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  authority.intercept = async (resource) => {
    if (resource === 'finalize') await held;
    return null;
  };
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority));
  const clients = Array.from({ length: 30 }, () => shown(fixture.portOf('a.example'), 'a.example'));
  await eventually('they wait', () => fixture.proxy.getStatistics().connections.active >= 30);
  release();
  const answers = await Promise.all(clients);
  assert.equal(new Set(answers).size, 1);
  assert.match(answers[0] ?? '', /^Authority /);
  assert.equal(authority.orders.length, 1);
});

// C2
test('after some seconds they are shown one of the local authority, and the log says so', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  authority.intercept = async (resource) => {
    if (resource === 'finalize') await held;
    return null;
  };
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority), {}, { clock });
  const port = fixture.portOf('a.example');
  const waiting = [shown(port, 'a.example'), shown(port, 'a.example')];
  await eventually('they wait', () => fixture.proxy.getStatistics().connections.active >= 2);
  clock.skip(8_000);
  for (const client of waiting) assert.match(await client, /^SmartProxy /);
  assert.match(await shown(port, 'a.example'), /^SmartProxy /);
  const lines = fixture.log.lines.filter(({ event }) => event === 'certificate-substituted');
  assert.deepEqual(
    lines.map(({ fields }) => fields),
    [{ name: 'a.example', shown: 'local', why: 'it is being ordered' }],
  );
  release();
  await issued(fixture, ['a.example']);
  assert.match(await shown(port, 'a.example'), /^Authority /);
});

// C5
test('an authority that is down, limits and answers badNonce is asked again with growing pauses, and the old one serves', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t, { badNonces: 20 });
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority), {}, { clock });
  await issued(fixture, ['a.example']);
  const port = fixture.portOf('a.example');
  const old = await shown(port, 'a.example');
  let answer = problem(500, 'serverInternal', 'down');
  authority.intercept = (resource) => (resource === 'new-order' ? answer : null);
  const pauses: number[] = [];
  clock.skip(62 * dayMs);
  for (let times = 1; times <= 7; times++) {
    const { code, error, nextAttemptAt, validTo } = await failed(fixture, 'a.example', times);
    assert.equal(validTo, new Date(authority.newest('a.example').validToMs).toISOString());
    assert.match(String(error), times <= 5 ? /down/ : /wait/);
    assert.equal(code, times <= 5 ? 'acme-unreachable' : 'acme-rate-limited');
    assert.equal(await shown(port, 'a.example'), old);
    assert.equal(statusOf(fixture, 'a.example').problem, error);
    const pause = Date.parse(String(nextAttemptAt)) - clock.wallTime();
    pauses.push(pause);
    if (times === 5) answer = problem(429, 'rateLimited', 'wait', { 'retry-after': '36000' });
    if (times === 6) answer = problem(429, 'rateLimited', 'wait');
    const asked = authority.asked.get('new-order');
    clock.skip(pause - 5_000);
    assert.equal(statusOf(fixture, 'a.example').ordering, false, 'not before its time');
    assert.equal(authority.asked.get('new-order'), asked);
    clock.skip(10_000);
  }
  const minutes = pauses.map((ms) => Math.round(ms / 6_000) / 10);
  for (const [index, expected] of [1, 2, 4, 8, 16].entries()) {
    const pause = minutes[index]!;
    assert.ok(pause >= expected * 0.79 && pause <= expected * 1.21, `${minutes}`);
  }
  assert.ok(minutes[5]! >= 599 && minutes[5]! <= 661, `${minutes}`);
  await failed(fixture, 'a.example', 8);
  authority.intercept = () => null;
  clock.skip(3 * 3_600_000);
  await issued(fixture, ['a.example'], 2);
  assert.notEqual(await shown(port, 'a.example'), old);
  assert.equal(statusOf(fixture, 'a.example').problem, null);
});

test('an expired certificate is shown before a stranger’s, and the log says so', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority), {}, { clock });
  await issued(fixture, ['a.example']);
  const port = fixture.portOf('a.example');
  const old = await shown(port, 'a.example');
  authority.intercept = () => problem(503, 'serverInternal', 'gone');
  clock.skip(91 * dayMs);
  await failed(fixture, 'a.example');
  assert.equal(await shown(port, 'a.example'), old);
  assert.equal(await shown(port, 'a.example'), old);
  const lines = fixture.log.lines.filter(({ event }) => event === 'certificate-substituted');
  assert.deepEqual(
    lines.map(({ fields }) => fields.shown),
    ['expired'],
  );
});

// C4
test('a stop in the middle of an order leaves no proof and no half of a file, and the next start takes it up', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  authority.intercept = async (resource) => {
    if (resource === 'finalize') await held;
    return null;
  };
  const acme = ordering(authority, { challenge: 'http-01' });
  const first = await startProxy(workspace, [site('a.example')], acme);
  await eventually('the order is to be finalized', () => (authority.asked.get('finalize') ?? 0) > 0);
  await first.proxy.stop();
  assert.equal(await accepts(authority.httpPort), false);
  authority.intercept = () => null;
  release();
  const folder = workspace.path('state', 'certificates', 'names', 'a.example');
  assert.deepEqual(readdirSync(folder).sort(), ['lock.1', 'order.json', 'order.key']);
  const second = await startProxy(workspace, [site('a.example')], acme);
  await issued(second, ['a.example']);
  assert.equal(authority.orders.length, 1);
  await eventually('the order is put away', () => !existsSync(`${folder}/order.json`));
  const line = second.log.lines.find(({ event }) => event === 'acme-order-taken-up');
  assert.deepEqual(line?.fields.names, ['a.example']);
});

// C4
test('a reload in the middle of an order lets it go on, or takes back what it asked for', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  authority.intercept = async (resource) => {
    if (resource === 'finalize') await held;
    return null;
  };
  const acme = ordering(authority, { challenge: 'http-01' });
  const fixture = await startProxy(workspace, [site('a.example')], acme);
  await eventually('the order is to be finalized', () => (authority.asked.get('finalize') ?? 0) > 0);
  await fixture.proxy.updateRoutes([site('a.example'), site('b.example')]);
  await eventually('b is ordered too', () => authority.orders.length === 2);
  await fixture.proxy.updateRoutes([site('a.example')]);
  release();
  await issued(fixture, ['a.example']);
  assert.equal(authority.ordersFor('a.example').length, 1);
  const status = fixture.proxy.control.certificates() as { names: string[] }[];
  assert.deepEqual(
    status.filter(({ names }) => names.includes('b.example')),
    [],
  );
});

// C7
test('where nothing can be written nothing is ordered, and what is there goes on serving', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority), {}, { clock });
  await issued(fixture, ['a.example']);
  const port = fixture.portOf('a.example');
  const old = await shown(port, 'a.example');
  const folder = workspace.path('state', 'certificates', 'names', 'a.example');
  // What is written last after an order may be written just then.
  await eventually('a file is in the way', () => {
    try {
      rmSync(folder, { recursive: true });
      writeFileSync(folder, 'in the way');
      return true;
    } catch {
      return false;
    }
  });
  clock.skip(62 * dayMs);
  const { code, error } = await failed(fixture, 'a.example');
  assert.equal(code, 'certificate-store-unwritable');
  assert.match(String(error), /names\/a\.example cannot be written: E/);
  assert.equal(await shown(port, 'a.example'), old);
  assert.equal(authority.orders.length, 1);
  rmSync(folder);
  clock.skip(2 * 60_000);
  await issued(fixture, ['a.example'], 2);
  assert.equal(told(fixture, 'certificate-failed', 'a.example').length, 1);
});

// C7
test('a disk that is full when the certificate comes: it serves, and is saved when there is room', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  const folder = workspace.path('state', 'certificates', 'names', 'a.example');
  authority.intercept = (resource) => {
    // Whatever is written from here on fails; root writes anywhere, so the folder goes away.
    if (resource === 'certificate' && existsSync(`${folder}/order.json`)) {
      rmSync(folder, { recursive: true });
      writeFileSync(folder, 'in the way');
    }
    return null;
  };
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority), {}, { clock });
  const { code } = await failed(fixture, 'a.example');
  assert.equal(code, 'certificate-store-unwritable');
  assert.match(await shown(fixture.portOf('a.example'), 'a.example'), /^Authority /);
  rmSync(folder);
  clock.skip(2 * 60_000);
  await eventually('it is saved', () => existsSync(`${folder}/current/certificate.pem`));
  assert.equal(authority.orders.length, 1);
  await eventually('nothing is wrong any more', () => statusOf(fixture, 'a.example').problem === null);
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
