import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { hasPrograms } from '../../support/debian.ts';
import { eventually } from '../../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { Pebble, type PebbleOptions } from '../../support/pebble.ts';
import { accepts, freePort, Workspace } from '../../support/workspace.ts';
import { curl, failed, issued, ordering, site, startProxy } from './stage.ts';

const before = holdings();
const hmacKey = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';

async function stage(t: TestContext, options: PebbleOptions = {}) {
  const workspace = Workspace.of(t, 'acme');
  return { workspace, pebble: await Pebble.start(workspace, options) };
}

test('a name is proved by HTTP-01, and the port is open only meanwhile', async (t) => {
  if (!hasPrograms(t, 'pebble', 'curl')) return;
  const { workspace, pebble } = await stage(t);
  const acme = ordering(pebble, { challenge: 'http-01' });
  const fixture = await startProxy(workspace, [site('a.example')], acme);
  await issued(fixture, ['a.example']);
  const port = fixture.portOf('a.example');
  assert.equal(await curl(workspace, pebble, port, 'a.example'), 'a.example says hello');
  await eventually('the port is closed', () => fixture.log.events().includes('challenge-port-closed'));
  assert.equal(await accepts(pebble.httpPort), false);
});

test('a name is proved by TLS-ALPN-01 on the port of its own route', async (t) => {
  if (!hasPrograms(t, 'pebble', 'curl')) return;
  const tlsPort = await freePort();
  const { workspace, pebble } = await stage(t, { tlsPort });
  const acme = ordering(pebble, { challenge: 'tls-alpn-01' });
  const fixture = await startProxy(workspace, [site('a.example', tlsPort)], acme);
  await issued(fixture, ['a.example']);
  assert.equal(await curl(workspace, pebble, tlsPort, 'a.example'), 'a.example says hello');
  assert.ok(!fixture.log.events().includes('challenge-port-opened'));
});

test('names, and a wildcard with its parent, are proved by DNS-01', async (t) => {
  if (!hasPrograms(t, 'pebble', 'curl')) return;
  const { workspace, pebble } = await stage(t);
  const records: string[] = [];
  const dns = {
    async present(name: string, value: string) {
      records.push(`+${name}`);
      await pebble.dns('set-txt', { host: `${name}.`, value });
    },
    async remove(name: string) {
      records.push(`-${name}`);
      await pebble.dns('clear-txt', { host: `${name}.` });
    },
  };
  const acme = ordering(pebble, { dns, dnsServers: [`127.0.0.1:${pebble.dnsPort}`] });
  const routes = ['b.example', '*.a.example', 'a.example', 'x.a.example'].map((name) => site(name));
  const fixture = await startProxy(workspace, routes, acme);
  await issued(fixture, ['b.example', '*.a.example']);
  assert.deepEqual(records.sort(), [
    ...['+_acme-challenge.a.example', '+_acme-challenge.a.example', '+_acme-challenge.b.example'],
    ...['-_acme-challenge.a.example', '-_acme-challenge.a.example', '-_acme-challenge.b.example'],
  ]);
  const port = fixture.portOf('a.example');
  for (const name of ['a.example', 'x.a.example', 'b.example', 'y.a.example']) {
    const says = name === 'y.a.example' ? '*.a.example' : name;
    assert.equal(await curl(workspace, pebble, port, name), `${says} says hello`);
  }
  assert.equal(pebble.issued, 2);
});

test('a slow authority that wants a customer’s account, refuses a name and nonces, gives the others', async (t) => {
  if (!hasPrograms(t, 'pebble', 'curl')) return;
  const tlsPort = await freePort();
  const { workspace, pebble } = await stage(t, {
    ...{ tlsPort, slowness: 2, badNonces: 40, blocked: ['blocked.example'] },
    accountKeys: { 'kid-1': hmacKey },
  });
  const acme = ordering(pebble, { challenge: 'tls-alpn-01', eab: { keyId: 'kid-1', hmacKey } });
  const routes = ['a.example', 'blocked.example', 'b.example'].map((name) => site(name, tlsPort));
  const fixture = await startProxy(workspace, routes, acme);
  const { code, error } = await failed(fixture, 'blocked.example');
  assert.equal(code, 'acme-refused');
  assert.match(String(error), /blocked\.example/);
  await issued(fixture, ['a.example', 'b.example']);
  assert.equal(await curl(workspace, pebble, tlsPort, 'b.example'), 'b.example says hello');
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
