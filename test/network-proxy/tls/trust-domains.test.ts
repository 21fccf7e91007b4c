import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type tls from 'node:tls';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { scoped } from '../../support/scoped.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { Workspace } from '../../support/workspace.ts';
import { serve, site, TlsClient } from './site.ts';

let workspace: Workspace;
let open: TestCertificate;
let closed: TestCertificate;
let member: TestCertificate;
let stranger: TestCertificate;

before(async () => {
  workspace = new Workspace('trust-domains');
  [open, closed, member, stranger] = (await Promise.all(
    ['open.test', 'closed.test', 'member.test', 'stranger.test'].map((name) => selfSigned(workspace, name)),
  )) as [TestCertificate, TestCertificate, TestCertificate, TestCertificate];
});
after(() => workspace.end());

/** A site for everybody, and one for those with a certificate of a member's. */
const sites = () => [
  site('open.test', { certificate: pem(open) }),
  site('closed.test', { certificate: pem(closed), clientAuth: { ca: member.cert } }),
];

function pem({ cert, key }: TestCertificate): { cert: string; key: string } {
  return { cert, key };
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const;

/** A connection that got an answer; and with it, in every version, a session. */
async function visit(port: number, name: string, options: tls.ConnectionOptions): Promise<Buffer> {
  const client = await TlsClient.connect(port, { servername: name, ...options });
  assert.equal((await client.get(name)).status, 200);
  const session = await client.resumable();
  await client.close();
  return session;
}

// T8
test('a session is resumed at the same name, and with it who the client is', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, sites());
  for (const maxVersion of versions) {
    const session = await visit(proxy.port, 'closed.test', { maxVersion, ...pem(member) });
    const client = scoped(
      t,
      await TlsClient.connect(proxy.port, {
        servername: 'closed.test',
        maxVersion,
        session,
        ...pem(member),
      }),
    );
    assert.equal((await client.get('closed.test')).status, 200);
    assert.ok(client.socket.isSessionReused(), maxVersion);
    const established = proxy.live.at(-1)?.events.find(({ what }) => what === 'tls-established');
    assert.equal(established?.resumed, true);
    assert.equal(established?.clientCertificate, true);
  }
});

// T8
test('a session of a name for everybody opens no name that asks for a certificate', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, sites());
  for (const maxVersion of versions) {
    const session = await visit(proxy.port, 'open.test', { maxVersion });
    const client = scoped(t, new TlsClient(proxy.port, { servername: 'closed.test', maxVersion, session }));
    assert.match(await client.failure(), /ALERT|ECONNRESET/, maxVersion);
  }
  assert.equal(proxy.reasons()['tls-handshake-failed'], 2);
});

// T8
test('what a certificate opened at one name is not carried to another by a session', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, sites());
  for (const maxVersion of versions) {
    const session = await visit(proxy.port, 'closed.test', { maxVersion, ...pem(member) });
    const client = scoped(
      t,
      await TlsClient.connect(proxy.port, {
        servername: 'open.test',
        maxVersion,
        session,
      }),
    );
    assert.equal((await client.get('open.test')).status, 200);
    assert.equal(client.socket.isSessionReused(), false, maxVersion);
    assert.equal((await client.get('closed.test')).status, 421);
  }
});

// T8
test('names with different authorities do not accept the sessions of each other', async (t) => {
  const stage = scoped(t, new Stage());
  const others = site('open.test', { certificate: pem(open), clientAuth: { ca: stranger.cert } });
  const proxy = await serve(stage, [others, ...sites().slice(1)]);
  for (const maxVersion of versions) {
    const session = await visit(proxy.port, 'open.test', { maxVersion, ...pem(stranger) });
    const client = scoped(t, new TlsClient(proxy.port, { servername: 'closed.test', maxVersion, session }));
    assert.match(await client.failure(), /ALERT|ECONNRESET/, maxVersion);
  }
});

// T12
test('a client certificate of somebody else is refused, and the trail says so', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, sites());
  const client = new TlsClient(proxy.port, { servername: 'closed.test', ...pem(stranger) });
  await client.failure();
  const { termination, events } = await proxy.endedAs('tls-handshake-failed in handed-over');
  assert.match(termination?.error?.message ?? '', /certificate/);
  assert.ok(events.some(({ what }) => what === 'tls-failed'));
});

test('a certificate that is asked for and not required lets everybody in, and says who showed one', async (t) => {
  const stage = scoped(t, new Stage());
  const asked = { ca: member.cert, required: false };
  const proxy = await serve(stage, [site('open.test', { certificate: pem(open), clientAuth: asked })]);
  for (const [shown, expected] of [
    [pem(member), true],
    [pem(stranger), undefined],
    [{}, undefined],
  ] as const) {
    const client = scoped(t, await TlsClient.connect(proxy.port, { servername: 'open.test', ...shown }));
    assert.equal((await client.get('open.test')).status, 200);
    const established = proxy.live.at(-1)?.events.find(({ what }) => what === 'tls-established');
    assert.equal(established?.clientCertificate, expected);
  }
});

// T8
test('a session is resumed after a reload', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, sites());
  const before = proxy.port;
  for (const maxVersion of versions) {
    const session = await visit(before, 'open.test', { maxVersion });
    await proxy.proxy.updateRoutes([...sites()].reverse());
    const client = scoped(
      t,
      await TlsClient.connect(before, { servername: 'open.test', maxVersion, session }),
    );
    assert.equal((await client.get('open.test')).status, 200);
    assert.ok(client.socket.isSessionReused(), maxVersion);
  }
});

test('once the keys of tickets were replaced, a full handshake is done, and nothing fails', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const proxy = await serve(stage, sites(), { timeouts: { keepAliveMs: 0 } }, clock);
  for (const maxVersion of versions) {
    const session = await visit(proxy.port, 'open.test', { maxVersion });
    clock.skip(24 * 60 * 60 * 1000);
    const client = scoped(
      t,
      await TlsClient.connect(proxy.port, {
        servername: 'open.test',
        maxVersion,
        session,
      }),
    );
    assert.equal((await client.get('open.test')).status, 200);
    assert.equal(client.socket.isSessionReused(), false, maxVersion);
    const fresh = await client.resumable();
    const again = scoped(
      t,
      await TlsClient.connect(proxy.port, {
        servername: 'open.test',
        maxVersion,
        session: fresh,
      }),
    );
    assert.equal((await again.get('open.test')).status, 200);
    assert.ok(again.socket.isSessionReused(), maxVersion);
  }
});
