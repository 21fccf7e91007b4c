import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned } from '../../support/certificates.ts';
import { bin, RunningProxy, smartproxy } from '../../support/command-line.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { freePort, Workspace } from '../../support/workspace.ts';
import { site, TlsClient } from '../tls/site.ts';

let workspace: Workspace;

before(() => {
  workspace = new Workspace('network-proxy-process');
});
after(() => workspace.end());

test('a process of its own ends TLS with keys that only it can read, and reloads and drains by signals', async (t) => {
  const stage = scoped(t, new Stage());
  const { certFile, keyFile } = await selfSigned(workspace, 'a.test');
  const port = await freePort();
  const secretFile = workspace.write('bridge.secret', 'x'.repeat(64), 0o600);
  const networkProxy = { bridge: 'loopback', port, secretFile, admin: false } as const;
  const routes = [site('a.test', { certificate: { certFile, keyFile } })];
  const file = workspace.write('proxy.json', JSON.stringify({ routes, networkProxy }));
  const inner = workspace.start(process.execPath, [bin, 'network-proxy', '--config', file]);
  await inner.says(/"event":"ready"/);
  const outer = await stage.proxy(
    [site('a.test', { certificate: { certFile: '/not/there.pem', keyFile: '/not/there.key' } })],
    { networkProxy },
  );
  const client = scoped(t, await TlsClient.connect(outer.port, { servername: 'a.test' }));
  assert.equal((await client.get('a.test')).body, 'a.test says hello');
  const changed = JSON.stringify({ routes, networkProxy }).replace('a.test says hello', 'it was read again');
  workspace.write('proxy.json', changed);
  process.kill(inner.pid, 'SIGHUP');
  await inner.says(/"event":"reloaded"/);
  assert.equal((await client.get('a.test')).body, 'it was read again');
  process.kill(inner.pid, 'SIGTERM');
  await eventually('the idle connection ends', () => client.closed);
  assert.equal(await inner.exited(), 0);
  await inner.says(/"reason":"shutdown"/);
  // The client may answer close_notify before the FIN behind it has come.
  assert.match((await outer.ended()).termination?.reason ?? '', /^(target|client)-closed$/);
});

// T12
test('two processes by one file: explain follows the link from the outer record to the inner one', async () => {
  const { certFile, keyFile } = await selfSigned(workspace, 'a.test');
  const [outerPort, port] = [await freePort(), await freePort()];
  const places = ['outer', 'inner'].map((name) => `unix:${workspace.path(`${name}.sock`)}`) as [
    string,
    string,
  ];
  const file = workspace.write(
    'linked.json',
    JSON.stringify({
      routes: [site('a.test', { certificate: { certFile, keyFile }, minVersion: 'TLSv1.3' }, outerPort)],
      admin: { listen: places[0] },
      networkProxy: {
        ...{ bridge: 'loopback', port, admin: { listen: places[1] } },
        secretFile: workspace.write('linked.secret', 'x'.repeat(64), 0o600),
      },
    }),
  );
  const inner = new RunningProxy(workspace, ['network-proxy', '--config', file]);
  const outer = new RunningProxy(workspace, ['run', '--config', file]);
  assert.deepEqual(
    [(await inner.logs('ready')).admin, (await outer.logs('ready')).admin],
    [places[1], places[0]],
  );
  const client = new TlsClient(outerPort, { servername: 'a.test', maxVersion: 'TLSv1.2' });
  await client.failure();
  const { id } = (await outer.logs('connection-closed')) as unknown as { id: string };
  const inside = (await inner.logs('connection-closed')) as unknown as { id: string; outer: string };
  assert.equal(inside.outer, id);

  const ask = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await smartproxy(workspace, args);
    assert.equal(code, 0, err);
    return out;
  };
  const text = (await ask('explain', id, '--admin', places[0])).replaceAll(/\s+/g, ' ');
  assert.match(text, /The route a\.test took it\./);
  assert.match(text, new RegExp(`In the process that read it, as ${inside.id}: .*unsupported protocol`));
  const told = JSON.parse(await ask('explain', id, '--admin', places[0], '--json'));
  assert.equal(told.connection.id, id);
  assert.equal(told.inner.connection.termination.reason, 'tls-handshake-failed');
  const record = JSON.parse(await ask('connections', inside.id, '--admin', places[1]));
  assert.deepEqual([record.id, record.outer], [inside.id, id]);
  assert.match(await ask('status', '--admin', places[1]), /SmartProxy is ready/);
  await ask('drain', '--admin', places[1]);
  assert.equal(await inner.program.exited(), 0);
  const alone = (await ask('explain', id, '--admin', places[0])).replaceAll(/\s+/g, ' ');
  assert.match(alone, /What the other process saw is not known: .*ECONNREFUSED/);
  outer.signal('SIGTERM');
  assert.equal(await outer.program.exited(), 0);
});

test('the command says what is wrong with its configuration', async () => {
  const file = workspace.write('wrong.json', JSON.stringify({ routes: [{ name: 'x' }] }));
  const { code, err } = await smartproxy(workspace, ['network-proxy', '--config', file]);
  assert.equal(code, 2);
  assert.match(err, /wrong\.json: routes\[0\]\.match/);
});
