import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RecordSummary } from '../../src/connection/record-summary.ts';
import { helloOf, TlsClient } from '../network-proxy/tls/site.ts';
import { selfSigned, type TestCertificate } from '../support/certificates.ts';
import { smartproxy } from '../support/command-line.ts';
import { eventually } from '../support/eventually.ts';
import { httpRoute, siteRoute, startNodeServer } from '../support/http-fixture.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { Workspace } from '../support/workspace.ts';
import { acting, tcp, tls } from './routes.ts';
import { Stage, type StagedProxy } from './stage.ts';
import { SynSwallower } from './syn-swallower.ts';

let workspace: Workspace;
let certificate: TestCertificate;

before(async () => {
  workspace = new Workspace('stories');
  certificate = await selfSigned(workspace, 'site.test');
});
after(() => workspace.end());

/** What `smartproxy explain ID` prints, on one line. */
async function told({ proxy }: StagedProxy, id: string): Promise<string> {
  const { code, out, err } = await smartproxy(workspace, [
    'explain',
    id,
    '--admin',
    proxy.adminAddress ?? '',
  ]);
  assert.equal(code, 0, err);
  return out.replaceAll(/\s+/g, ' ');
}

function terminate({ proxy }: StagedProxy, { id }: RecordSummary): void {
  assert.ok(proxy.control.terminate(id));
}

/** One way in which a connection ends: what is done, and what the story must say. */
interface Way {
  readonly ending: string;
  readonly kill: () => Promise<unknown>;
  readonly says: readonly RegExp[];
}

test('each initiator in each phase: explain tells the true story of an ended connection', async (t) => {
  const stage = scoped(t, new Stage());
  const swallower = scoped(t, await SynSwallower.start());
  const clock = new SkippingClock();
  const [echo, silent, dead] = [await stage.echo(), await stage.backend(), await stage.deadPort()];
  const closing = await stage.backend(({ socket }) => socket.end('bye'));
  const { cert, key } = certificate;
  const staged = await stage.proxy(
    [
      tls('b.test', dead),
      tls('slow.test', swallower.port),
      siteRoute('site.test', silent.port, { certificate: { cert, key }, minVersion: 'TLSv1.3' }),
      tcp(echo.port, { name: 'echo' }),
      tcp(silent.port, { name: 'silent' }),
      tcp(closing.port, { name: 'closing' }),
      tcp(swallower.port, { name: 'swallowed' }),
      acting({ type: 'block' }),
    ],
    { admin: { listen: '127.0.0.1:0' }, stateDirectory: workspace.path('state') },
    { clock },
  );
  const port = (route: string): number => staged.portOf(route);
  const hello = (servername: string): Promise<Buffer> => helloOf({ servername, ALPNProtocols: ['h2'] });
  const held = async (route: string) => {
    const client = await stage.connect(port(route)).connected();
    client.send('ping!');
    await eventually('it is established', () => staged.live.some(({ state }) => state === 'established'));
    return client;
  };
  const ways: Way[] = [
    {
      ending: 'client-closed in reading-first-bytes',
      kill: async () => stage.connect(port('b.test')).end(),
      says: [/closed without having sent a byte, as health checks do/, /connected to port \d+\./],
    },
    {
      ending: 'client-reset in reading-first-bytes',
      async kill() {
        const client = await stage.connect(port('b.test')).connected();
        client.send((await hello('b.test')).subarray(0, 100));
        await eventually('it has come', () => staged.live[0]?.bytes.fromClient === 100);
        client.reset();
      },
      says: [/The client reset the connection before its first bytes were complete: 100 bytes had come/],
    },
    {
      ending: 'client-reset in dialing',
      async kill() {
        const client = stage.connect(port('swallowed'));
        await staged.inState('dialing');
        client.reset();
      },
      says: [/The client reset the connection while the target 127\.0\.0\.1:\d+ was being dialled, after/],
    },
    {
      ending: 'client-closed in handed-over',
      async kill() {
        const client = stage.connect(port('site.test')).send(await hello('site.test'));
        await eventually('the server has answered', () => client.receivedBytes > 0);
        client.end();
      },
      says: [
        /It sent [\d,]+ bytes of ClientHello for site\.test, offering h2\. The route site\.test took it\./,
        /The client closed before the TLS handshake was finished/,
      ],
    },
    {
      ending: 'client-reset in established',
      kill: async () => (await held('silent')).reset(),
      says: [
        /The target 127\.0\.0\.1:\d+ accepted the connection after/,
        /The client sent 5 bytes and got nothing\. The client reset the connection after/,
        /the target was reset too, so that nothing cut short looks complete/,
      ],
    },
    {
      ending: 'client-closed in half-closed',
      async kill() {
        const client = await held('echo');
        await client.gets('ping!');
        client.end();
      },
      says: [
        /sent 5 bytes and got 5 bytes\. The client sent its FIN first, after .*everything was delivered/,
      ],
    },
    {
      ending: 'connect-refused in dialing',
      kill: async () =>
        stage
          .connect(port('b.test'))
          .send(await hello('b.test'))
          .end(),
      says: [
        /It sent [\d,]+ bytes of ClientHello for b\.test, offering h2\. The route b\.test took it\./,
        new RegExp(
          `The target 127\\.0\\.0\\.1:${dead} refused the connection after (?:less than )?[\\d.]+ ms`,
        ),
        /\(connect ECONNREFUSED/,
        /No target was left to try, so the client was closed\. (?!.*today)/,
      ],
    },
    {
      ending: 'connect-refused in dialing',
      kill: async () =>
        stage
          .connect(port('b.test'))
          .send(await hello('b.test'))
          .end(),
      says: [/so the client was closed\. 1 other today\./],
    },
    {
      ending: 'target-reset in established',
      async kill() {
        const count = silent.peers.length;
        await held('silent');
        (await silent.peer(count)).reset();
      },
      says: [/The target 127\.0\.0\.1:\d+ reset the connection after/, /the client was reset too/],
    },
    {
      ending: 'target-closed in half-closed',
      async kill() {
        const client = stage.connect(port('closing'));
        await client.gets('bye');
        client.end();
      },
      says: [/got 3 bytes\. The target 127\.0\.0\.1:\d+ sent its FIN first, after .*both sides closed/],
    },
    {
      ending: 'initial-data-timeout in reading-first-bytes',
      async kill() {
        stage.connect(port('b.test')).send(new Uint8Array([0x16, 3, 1]));
        await eventually('it has come', () => staged.live[0]?.bytes.fromClient === 3);
        clock.skip(16_000);
        stage.endClients();
      },
      says: [/were not complete after 16(\.\d)? s \(initialDataMs\): only 3 bytes had come/],
    },
    {
      ending: 'no-route in routing',
      kill: async () =>
        stage
          .connect(port('b.test'))
          .send(await hello('nobody.test'))
          .end(),
      says: [/ClientHello for nobody\.test/, /No route takes such a connection/, /b\.test no-match/],
    },
    {
      ending: 'blocked in routing',
      kill: async () => stage.connect(port('block')).end(),
      says: [/The route block turns this client away/],
    },
    {
      ending: 'connect-timeout in dialing',
      async kill() {
        stage.connect(port('slow.test')).send(await hello('slow.test'));
        await staged.inState('dialing');
        clock.skip(5_500);
        stage.endClients();
      },
      says: [
        /The target 127\.0\.0\.1:\d+ had not answered after 5\.\d s/,
        /No target was reached in time \(5 s, connectMs\), so the client was closed/,
      ],
    },
    {
      ending: 'tls-handshake-failed in handed-over',
      async kill() {
        const options = { servername: 'site.test', maxVersion: 'TLSv1.2' } as const;
        await scoped(t, new TlsClient(port('site.test'), options)).failure();
      },
      says: [/TLS could not be agreed on with the client \(unsupported protocol\)/],
    },
    {
      ending: 'inactivity in established',
      async kill() {
        await held('silent');
        clock.skip(3_601_000);
      },
      says: [/No byte went either way for too long \(1 h, inactivityMs\); both sides were reset/],
    },
    {
      ending: 'half-close-timeout in half-closed',
      async kill() {
        (await held('silent')).end();
        await staged.inState('half-closed');
        clock.skip(301_000);
      },
      says: [/The client had sent its FIN, and then nothing came for too long \(5 min, halfCloseMs\)/],
    },
    {
      ending: 'operator in established',
      async kill() {
        await held('silent');
        terminate(staged, await staged.inState('established'));
      },
      says: [/An operator ended it, by smartproxy terminate or the admin API; both sides were reset/],
    },
    {
      ending: 'operator in dialing',
      async kill() {
        stage.connect(port('swallowed'));
        terminate(staged, await staged.inState('dialing'));
        stage.endClients();
      },
      says: [/had not answered after .*An operator ended it, by smartproxy terminate or the admin API\. /],
    },
  ];
  for (const [index, { ending, kill, says }] of ways.entries()) {
    await kill();
    const { id, termination } = await staged.ended(index + 1);
    assert.equal(`${termination?.reason} in ${termination?.phase}`, ending);
    const story = await told(staged, id);
    for (const expected of says) assert.match(story, expected, ending);
  }
  const phases = new Set(ways.map(({ ending }) => ending.split(' in ')[1]));
  assert.equal(phases.size, 6);
});

test('the story of an HTTP connection counts its requests, and tells of the last that failed', async (t) => {
  const backend = await startNodeServer(workspace, (_request, response) => response.end('hello'));
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy(
    [httpRoute('web', backend), httpRoute('dead', await stage.deadPort(), {}, { path: '/secret' })],
    {
      admin: { listen: '127.0.0.1:0' },
    },
  );
  for (const [count, path] of ['/', '/secret'].entries()) {
    const client = stage.connect(staged.port);
    for (const answer of [1, 2]) {
      client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
      await eventually('the answer is there', () => client.text.split('HTTP/1.1 ').length > answer);
    }
    const live = await told(staged, staged.live[0]?.id ?? '');
    assert.match(live, /It is established now, .* old; the last byte was .* ago\./);
    client.end();
    await staged.ended(count + 1);
  }
  const [web, dead] = staged.endings as [RecordSummary, RecordSummary];
  assert.deepEqual([web.requests, dead.requests], [2, 2]);
  const good = await told(staged, web.id);
  assert.match(
    good,
    /It sent \d+ bytes, clear-text HTTP\. The route web took it\. It made 2 requests\. The client sent/,
  );
  const bad = await told(staged, dead.id);
  assert.match(
    bad,
    /It made 2 requests\. The last that failed was a GET on the route dead \(id [\w-]+\), answered with 502: connect-refused\./,
  );
  assert.doesNotMatch(bad, /secret/, 'paths may be private: the log of requests has them, where it is on');
});
