import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { FolderStore } from '../../../src/certificates/acme/store/folder-store.ts';
import { type AcmeAuthority, problem } from '../../support/authority/acme-authority.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import type { ProxyFixture } from '../../support/proxy-fixture.ts';
import type { SkippingClock } from '../../support/skipping-clock.ts';
import { type Workspace, waitUntil } from '../../support/workspace.ts';
import { connect, idle, Load, settle } from './load.ts';
import { acmeStage, failed, issued, ordering, site, startProxy, statusOf } from './stage.ts';

const before = holdings();
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Moves time on in steps, and lets what falls due in each happen. */
async function pass(fixture: ProxyFixture, clock: SkippingClock, ms: number, stepMs: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.skip(stepMs);
    await idle(fixture);
  }
}

/** When a name is to be renewed, in days from when its certificate began. */
function renewalDay(fixture: ProxyFixture, authority: AcmeAuthority, name: string): number {
  const { renewAt } = statusOf(fixture, name);
  return (Date.parse(renewAt ?? '') - authority.newest(name).validFromMs) / dayMs;
}

/** Waits until the authority was asked for its suggestions about names, and what it said is kept. */
async function suggested(
  workspace: Workspace,
  clock: SkippingClock,
  names: readonly string[],
): Promise<void> {
  const store = new FolderStore(workspace.path('state', 'certificates'), clock);
  clock.skip(2_000);
  for (const name of names) {
    await waitUntil(`the suggestion for ${name}`, async () => {
      return (await store.readRenewal(name))?.askAgainAt ?? undefined;
    });
  }
}

test('a certificate is renewed within the window that the authority suggests, and says what it replaces', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  const explanation = 'https://ca.example/why';
  authority.window = ({ validFromMs }) => {
    return { start: validFromMs + 20 * dayMs, end: validFromMs + 21 * dayMs, explanation };
  };
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority), {}, { clock });
  await issued(fixture, ['a.example']);
  const first = authority.newest('a.example');
  await suggested(workspace, clock, ['a.example']);
  assert.equal(statusOf(fixture, 'a.example').suggestion, explanation);
  const day = renewalDay(fixture, authority, 'a.example');
  assert.ok(day >= 20 && day <= 21, String(day));
  await pass(fixture, clock, 22 * dayMs, 6 * hourMs);
  await issued(fixture, ['a.example'], 2);
  const [order, renewal] = authority.ordersFor('a.example');
  assert.deepEqual([order?.replaces, renewal?.replaces], [undefined, first.id]);
  const renewedOn = (renewal!.atMs - first.validFromMs) / dayMs;
  assert.ok(renewedOn >= 20 && renewedOn <= 21.3, String(renewedOn));
});

test('without suggestions a third of the life is left, or what the configuration wants', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t, { renewalInfo: false });
  const acme = ordering(authority);
  const fixture = await startProxy(workspace, [site('a.example')], acme, {}, { clock });
  await issued(fixture, ['a.example']);
  const day = renewalDay(fixture, authority, 'a.example');
  assert.ok(day > 53 && day <= 60.1, String(day));
  await fixture.proxy.stop();
  const certificates = { acme, renewBeforeDays: 10 };
  const stateDirectory = workspace.path('other');
  const late = await startProxy(
    workspace,
    [site('b.example')],
    acme,
    { certificates, stateDirectory },
    { clock },
  );
  await issued(late, ['b.example']);
  const lateDay = renewalDay(late, authority, 'b.example');
  assert.ok(lateDay > 73 && lateDay <= 80.1, String(lateDay));
});

test('a certificate that is to be revoked is replaced as soon as the authority says so, before others', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  const names = ['a.example', 'b.example', 'c.example'];
  const routes = names.map((name) => site(name));
  const fixture = await startProxy(workspace, routes, ordering(authority), {}, { clock });
  await issued(fixture, names);
  await suggested(workspace, clock, names);
  const start = clock.wallTime() - 2 * dayMs;
  authority.newest('b.example').window = { start, end: start + dayMs };
  clock.skip(7 * hourMs);
  await issued(fixture, ['b.example'], 2);
  assert.equal(authority.ordersFor('a.example').length, 1);
});

test('when a certificate is renewed is kept through a restart, and so is what failed', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  authority.intercept = (resource, request) =>
    resource === 'new-order' && JSON.stringify(request?.payload).includes('bad.example')
      ? problem(400, 'rejectedIdentifier', 'no')
      : null;
  const routes = [site('a.example'), site('bad.example')];
  const first = await startProxy(workspace, routes, ordering(authority), {}, { clock });
  await issued(first, ['a.example']);
  await failed(first, 'bad.example');
  await suggested(workspace, clock, ['a.example']);
  const known = ['a.example', 'bad.example'].map((name) => statusOf(first, name));
  await first.proxy.stop();
  const second = await startProxy(workspace, routes, ordering(authority), {}, { clock });
  clock.skip(5_000);
  await idle(second);
  assert.deepEqual(
    ['a.example', 'bad.example'].map((name) => statusOf(second, name)),
    known,
  );
  assert.equal(authority.asked.get('new-order'), 2);
  assert.deepEqual(
    second.log.events().filter((event) => event.startsWith('certificate-')),
    [],
  );
});

test('a window that was replaced already does not stop a renewal', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t, { renewalInfo: true });
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority), {}, { clock });
  await issued(fixture, ['a.example']);
  authority.newest('a.example').replaced = true;
  await fixture.proxy.control.renewCertificate('a.example');
  const [, renewal] = authority.ordersFor('a.example');
  assert.equal(renewal?.replaces, undefined);
  assert.equal(authority.asked.get('new-order'), 3);
});

test('certificates are renewed within suggested windows, under load, and not one handshake fails', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  const names = Array.from({ length: 12 }, (_, index) => `n${index}.example`);
  const routes = names.map((name) => site(name));
  const fixture = await startProxy(workspace, routes, ordering(authority), {}, { clock });
  await issued(fixture, names);
  const load = new Load(fixture.portOf('n0.example'), names);
  const perStep: number[] = [];
  for (let day = 0; day < 66; day += perStep.length === 1 ? 52 : 0.5) {
    const before = authority.orders.length;
    await load.between(() => clock.skip(perStep.length === 0 ? 52 * dayMs : 12 * hourMs));
    await idle(fixture);
    perStep.push(authority.orders.length - before);
  }
  await load.stop();
  await settle(fixture, clock);
  assert.deepEqual(load.failures, []);
  assert.ok(load.handshakes > 100, `${load.handshakes} handshakes`);
  for (const name of names) assert.equal(authority.ordersFor(name).length, 2, name);
  assert.equal(authority.mostOpen, 1);
  assert.ok(perStep.filter((count) => count > 0).length >= 3, `some at a time: ${perStep.join(' ')}`);
});

// T11
test('a new certificate serves new handshakes, and what was there before goes on, also by resumption', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority));
  await issued(fixture, ['a.example']);
  const port = fixture.portOf('a.example');
  const living = await connect(port, 'a.example');
  const serial = living.getPeerCertificate().serialNumber;
  const [session] = (await once(living, 'session')) as [Buffer];
  await fixture.proxy.control.renewCertificate('a.example');
  const fresh = await connect(port, 'a.example');
  assert.notEqual(fresh.getPeerCertificate().serialNumber, serial);
  const resumed = await connect(port, 'a.example', { session });
  assert.equal(resumed.isSessionReused(), true);
  for (const socket of [living, resumed, fresh]) {
    socket.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /a\.example says hello/);
    socket.destroy();
  }
  assert.equal(authority.orders.length, 2);
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
