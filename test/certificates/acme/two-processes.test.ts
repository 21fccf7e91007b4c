import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import type { Route } from '../../../src/config/schema.ts';
import { AcmeAuthority } from '../../support/authority/acme-authority.ts';
import { RunningProxy } from '../../support/command-line.ts';
import { hasPrograms } from '../../support/debian.ts';
import { eventually } from '../../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { Pebble } from '../../support/pebble.ts';
import type { ProxyFixture } from '../../support/proxy-fixture.ts';
import { freePort, Workspace } from '../../support/workspace.ts';
import { type Authority, acmeStage, curl, issued, ordering, shown, site, startProxy } from './stage.ts';

const before = holdings();
const names = Array.from({ length: 10 }, (_, index) => `n${index}.example`);

interface Machine {
  readonly proxy: RunningProxy;
  readonly port: number;
}

/** A `smartproxy run` of its own, on the store that all of a workspace share. */
async function startMachine(
  workspace: Workspace,
  authority: Authority,
  challenge: 'http-01' | 'tls-alpn-01',
  port: number,
): Promise<Machine> {
  const configuration = {
    routes: names.map((name) => site(name, port)),
    certificates: { directory: workspace.path('shared'), acme: ordering(authority, { challenge }) },
    stateDirectory: workspace.path(`state-${port}`),
    admin: false,
    log: { connections: false },
  };
  const file = workspace.write(`${port}.config.json`, JSON.stringify(configuration));
  const proxy = new RunningProxy(workspace, ['run', '--config', file]);
  await proxy.logs('ready');
  return { proxy, port };
}

/** Waits until two machines show the same certificate of an authority for each name. */
async function bothServe(machines: readonly Machine[], issuer: RegExp): Promise<void> {
  for (const name of names) {
    let answers: string[] = [];
    let asking = false;
    await eventually(
      () => `both serve ${name}: ${answers}`,
      () => {
        if (!asking) {
          asking = true;
          void Promise.all(machines.map(({ port }) => shown(port, name))).then((shownNow) => {
            answers = shownNow;
            asking = false;
          });
        }
        return answers.length === 2 && answers[0] === answers[1] && issuer.test(answers[0] ?? '');
      },
    );
  }
}

function issuedOf({ log }: ProxyFixture): number {
  return log.events().filter((event) => event === 'certificate-issued').length;
}

function issuedBy(machines: readonly Machine[]): number[] {
  return machines.map(
    ({ proxy }) => proxy.lines.filter(({ event }) => event === 'certificate-issued').length,
  );
}

async function stop(machines: readonly Machine[]): Promise<void> {
  for (const { proxy } of machines) await proxy.program.stop();
}

test('two processes order each name once by TLS-ALPN-01, whichever of them Pebble asks, and both serve it', async (t) => {
  if (!hasPrograms(t, 'pebble', 'curl')) return;
  const workspace = Workspace.of(t, 'two');
  const tlsPort = await freePort();
  const pebble = await Pebble.start(workspace, { tlsPort });
  // The one that Pebble asks listens before the other orders: nobody at its port would fail an order.
  const asked = await startMachine(workspace, pebble, 'tls-alpn-01', tlsPort);
  const machines = [asked, await startMachine(workspace, pebble, 'tls-alpn-01', await freePort())];
  await bothServe(machines, /^Pebble /);
  for (const { port } of machines) {
    assert.equal(await curl(workspace, pebble, port, 'n0.example'), 'n0.example says hello');
  }
  assert.deepEqual([pebble.orders, pebble.issued], [names.length, names.length]);
  assert.equal(
    issuedBy(machines).reduce((sum, count) => sum + count, 0),
    names.length,
  );
  await stop(machines);
});

test('and by HTTP-01, where one of them has the port; and they renew each once', async (t) => {
  const workspace = Workspace.of(t, 'two');
  const authority = await AcmeAuthority.start(workspace, { clock: systemClock, badNonces: 20 });
  const machines = await Promise.all(
    [await freePort(), await freePort()].map((port) => startMachine(workspace, authority, 'http-01', port)),
  );
  // The first certificate of a name is to be renewed soon, the second in its time.
  authority.window = ({ names: [name = ''] }) => {
    const isFirst = authority.certificates.filter((one) => one.names.includes(name)).length === 1;
    const start = Date.now() + (isFirst ? 1_000 : 3_600_000);
    return { start, end: start + 2_000 };
  };
  await eventually('all are renewed', () => authority.certificates.length === 2 * names.length);
  await bothServe(machines, /^Authority /);
  assert.equal(authority.mostOpen, 1);
  assert.equal(authority.orders.length, 2 * names.length);
  await stop(machines);
});

for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
  test(`who does not order answers ${challenge} for who does, and takes the certificate from the store`, async (t) => {
    const { workspace, authority } = await acmeStage(t);
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    authority.intercept = async (resource) => {
      if (resource === 'challenge') await held;
      return null;
    };
    const start = (port: number, httpPort: number) =>
      startProxy(
        workspace,
        [site('a.example', port)],
        { ...ordering(authority, { challenge }), httpPort },
        {
          certificates: { directory: workspace.path('shared') },
          stateDirectory: workspace.path(`state-${port}`),
        },
      );
    const orders = await start(await freePort(), await freePort());
    await eventually('the order waits', () => (authority.asked.get('challenge') ?? 0) > 0);
    const clear: Route = {
      name: 'clear',
      match: { ports: authority.httpPort, address: '127.0.0.1', protocol: 'http' },
      action: { type: 'respond', status: 404 },
    };
    const answers = await start(authority.tlsPort, authority.httpPort);
    await answers.proxy.updateRoutes([site('a.example', authority.tlsPort), clear]);
    release();
    await issued(orders, ['a.example']);
    assert.match(await shown(authority.tlsPort, 'a.example'), /^Authority /);
    assert.deepEqual([authority.orders.length, issuedOf(answers)], [1, 0]);
  });
}

test('when all is over nothing is left', () => holdsNoMoreThan(before));
