import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasPrograms } from '../../support/debian.ts';
import { eventually } from '../../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { Pebble } from '../../support/pebble.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { Workspace } from '../../support/workspace.ts';
import { connect, idle, Load, settle } from './load.ts';
import { curl, issued, ordering, site, startProxy } from './stage.ts';

const before = holdings();
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const names = Array.from({ length: 200 }, (_, index) => `n${index}.example`);

// C1
test('200 names from Pebble, which refuses one nonce in five: ordered once each, served, renewed one by one', async (t) => {
  if (!hasPrograms(t, 'pebble', 'curl')) return;
  const workspace = Workspace.of(t, 'many');
  const pebble = await Pebble.start(workspace, { badNonces: 20 });
  const clock = new SkippingClock();
  const acme = ordering(pebble, { challenge: 'http-01' });
  const routes = names.map((name) => site(name));
  const fixture = await startProxy(workspace, routes, acme, {}, { clock });
  const port = fixture.portOf('n0.example');
  const count = (event: string): number => fixture.log.events().filter((one) => one === event).length;
  // The others serve while they are ordered.
  await eventually('some have their certificate', () => count('certificate-issued') >= 10);
  const trusted = await pebble.issuingRoot();
  assert.ok(count('certificate-issued') < names.length);
  (await connect(port, 'n0.example', { trusted })).destroy();
  await issued(fixture, names);
  assert.deepEqual([pebble.orders, pebble.issued, count('certificate-failed')], [200, 200, 0]);
  assert.equal(count('challenge-port-opened'), 1);
  for (const name of names) (await connect(port, name, { trusted })).destroy();
  assert.equal(await curl(workspace, pebble, port, 'n199.example'), 'n199.example says hello');

  const load = new Load(port, names, trusted);
  const perStep: number[] = [];
  await load.between(() => clock.skip(52 * dayMs));
  await idle(fixture);
  for (let day = 52; day < 61; day += 0.5) {
    const before = pebble.issued;
    await load.between(() => clock.skip(12 * hourMs));
    await idle(fixture);
    perStep.push(pebble.issued - before);
  }
  await load.stop();
  await issued(fixture, names, 2);
  await settle(fixture, clock);
  assert.deepEqual(load.failures, []);
  assert.ok(load.handshakes > 200, `${load.handshakes} handshakes`);
  assert.deepEqual([pebble.orders, pebble.issued, count('certificate-failed')], [400, 400, 0]);
  assert.ok(Math.max(...perStep) < 60, `not many at a time: ${perStep.join(' ')}`);
  assert.ok(perStep.filter((renewed) => renewed > 0).length >= 8, `at many times: ${perStep.join(' ')}`);
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
