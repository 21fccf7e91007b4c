import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { bin, smartproxy } from '../support/command-line.ts';
import { hasPrograms, needsRoot, programPath } from '../support/debian.ts';
import { Namespaces } from '../support/namespaces.ts';
import { Workspace } from '../support/workspace.ts';

const configuration = `
routes:
  - name: database
    match: { ports: 5432, clientIp: [10.0.0.0/8] }
    action: { type: forward, target: { host: 10.0.0.9, port: 5432 }, engine: nftables }
  - name: site
    match: { ports: 8443, domains: a.test }
    action: { type: forward, target: { host: 127.0.0.1, port: 3000 } }
`;

test('`nftables show` prints the table, which nft takes, and needs nothing else', async (context) => {
  const workspace = Workspace.of(context, 'show');
  const file = workspace.write('smartproxy.config.yaml', configuration);
  const { code, out } = await smartproxy(workspace, ['nftables', 'show', '--config', file]);
  assert.equal(code, 0);
  assert.match(out, /^table inet smartproxy_main \{\n {2}comment "SmartProxy main, owner \d+,/);
  assert.match(out, /^ {6}5432 \. 10\.0\.0\.0\/8 : 0x/m);
  assert.match(out, / : 10\.0\.0\.9 \. 5432,$/m);
  assert.doesNotMatch(out, /8443|a\.test/);
  assert.equal(
    (await smartproxy(workspace, ['nftables', 'show', '--config', file])).out,
    out,
    'the same each time',
  );
  if (!needsRoot(context) || !hasPrograms(context, 'nft')) return;
  const { status, stderr } = spawnSync(programPath('nft'), ['-c', '-f', '-'], {
    input: out,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});

test('`nftables show` says so where there is nothing to show, and where the configuration is wrong', async (context) => {
  const workspace = Workspace.of(context, 'show');
  const none = workspace.write('none.yaml', 'routes: []\n');
  assert.match((await smartproxy(workspace, ['nftables', 'show', '--config', none])).out, /^# no route/);
  const wrong = workspace.write('wrong.yaml', configuration.replace('10.0.0.9', 'db.test'));
  const { code, err } = await smartproxy(workspace, ['nftables', 'show', '--config', wrong]);
  assert.equal(code, 2);
  assert.match(err, /wrong\.yaml: routes\[0\]\.action\.target\.host: 'db\.test' is a name/);
});

// N1
test('`nftables clean` removes what SmartProxy made, and nothing else', async (context) => {
  const workspace = Workspace.of(context, 'clean');
  const namespaces = Namespaces.of(context, workspace);
  if (namespaces === undefined) return;
  const nft = (script: string) => namespaces.run(namespaces.proxy, programPath('nft'), script);
  nft('table inet smartproxy_left { comment "SmartProxy left, owner 77, process 1 since 5"; }');
  nft('table inet smartproxy_of_somebody { comment "my own table"; chain x { }; }');
  nft('table ip smartproxy_ip { }');
  nft('table inet filter { chain y { }; }');
  const others = ['table inet smartproxy_of_somebody', 'table ip smartproxy_ip', 'table inet filter'];
  assert.deepEqual(namespaces.tables().sort(), [...others, 'table inet smartproxy_left'].sort());
  const clean = () => namespaces.run(namespaces.proxy, process.execPath, bin, 'nftables', 'clean');
  assert.equal(clean(), 'removed inet smartproxy_left\n');
  assert.deepEqual(namespaces.tables().sort(), others.sort());
  assert.equal(clean(), 'there is no table of SmartProxy\n');
});
