import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { smartproxy } from '../support/command-line.ts';
import { Workspace } from '../support/workspace.ts';

test('trust makes the authority where the configuration says, and prints what to do with it', async (t) => {
  const workspace = Workspace.of(t, 'trust');
  const state = workspace.path('state');
  workspace.write('smartproxy.config.yaml', `routes: []\nstateDirectory: ${state}\n`);
  const { code, out, err } = await smartproxy(workspace, ['trust']);
  assert.equal(code, 0, err);
  const file = `${state}/local-authority/authority.pem`;
  const { fingerprint256 } = new X509Certificate(readFileSync(file));
  assert.match(out, /^SmartProxy local authority \(/);
  assert.ok(out.includes(`SHA-256 ${fingerprint256}`));
  assert.ok(out.includes(`curl --cacert ${file} https://app.localhost:8443/`));
  for (const who of ['Debian', 'macOS', 'Firefox', 'Chromium', 'Node', 'undo'])
    assert.ok(out.includes(who), who);
  const again = await smartproxy(workspace, ['trust', '--json']);
  assert.equal(JSON.parse(again.out).fingerprint, fingerprint256);
});

test('without a configuration it is the default state folder’s, or that of --state-directory', async (t) => {
  const workspace = Workspace.of(t, 'trust');
  const env = { STATE_DIRECTORY: workspace.path('default') };
  assert.equal((await smartproxy(workspace, ['trust'], env)).code, 0);
  assert.ok(existsSync(workspace.path('default/local-authority/authority.key')));
  assert.equal(
    (await smartproxy(workspace, ['trust', '--state-directory', workspace.path('other')], env)).code,
    0,
  );
  assert.ok(existsSync(workspace.path('other/local-authority/authority.key')));
});

test('a damaged authority, a wrong configuration and wrong usage end with 2', async (t) => {
  const workspace = Workspace.of(t, 'trust');
  workspace.write('state/local-authority/authority.key', 'nothing');
  const damaged = await smartproxy(workspace, ['trust', '--state-directory', workspace.path('state')]);
  assert.equal(damaged.code, 2);
  assert.match(damaged.err, /authority\.pem: it does not exist/);
  workspace.write('broken.yaml', 'routes: 5\n');
  const broken = await smartproxy(workspace, ['trust', '--config', 'broken.yaml']);
  assert.equal(broken.code, 2);
  assert.match(broken.err, /broken\.yaml: routes/);
  assert.equal((await smartproxy(workspace, ['trust', '--install', '--remove'])).code, 2);
});
