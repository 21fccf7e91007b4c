import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import { ordering, shown, site } from '../certificates/acme/stage.ts';
import { AcmeAuthority, problem } from '../support/authority/acme-authority.ts';
import { RunningProxy, smartproxy } from '../support/command-line.ts';
import { holdings, holdsNoMoreThan } from '../support/nothing-left.ts';
import { Workspace } from '../support/workspace.ts';

const before = holdings();
const other = await LocalAuthority.create({ clock: systemClock, name: 'Somebody else' });

test('certificates tells where each is from, until when, when it is renewed, and what went wrong; renew does it now', async (t) => {
  const workspace = Workspace.of(t, 'certificates');
  const authority = await AcmeAuthority.start(workspace, { clock: systemClock });
  authority.intercept = (resource, request) =>
    resource === 'new-order' && JSON.stringify(request?.payload).includes('bad.example')
      ? problem(400, 'rejectedIdentifier', 'this name is not for us')
      : null;
  const admin = `unix:${workspace.path('admin.sock')}`;
  const file = workspace.write(
    'smartproxy.config.json',
    JSON.stringify({
      routes: [site('a.example'), site('bad.example')],
      certificates: { acme: ordering(authority) },
      stateDirectory: workspace.path('state'),
      admin: { listen: admin },
    }),
  );
  const proxy = new RunningProxy(workspace, ['run', '--config', file]);
  await Promise.all([proxy.logs('certificate-issued'), proxy.logs('certificate-failed')]);
  const call = (...args: string[]) => smartproxy(workspace, ['certificates', ...args, '--admin', admin]);

  const { code, out } = await call();
  assert.equal(code, 0);
  const [head = '', bad = '', good = ''] = out.split('\n');
  assert.match(head, /^NAMES +SOURCE +AUTHORITY +ISSUED +EXPIRES +RENEWED +LAST ERROR$/);
  assert.match(
    bad,
    /^bad\.example +auto +- +- +- +\d{4}-\d\d-\d\d \d\d:\d\dZ +localhost:\d+: this name is not for us$/,
  );
  assert.match(good, /^a\.example +auto +localhost:\d+ +(\d{4}-\d\d-\d\d \d\d:\d\dZ +){3}-$/);

  const renewed = await call('renew', 'a.example');
  assert.match(renewed.out, /^a\.example: renewed, valid until /);
  assert.equal(authority.ordersFor('a.example').length, 2);
  const { names, source } = JSON.parse((await call('renew', 'a.example', '--json')).out).certificate;
  assert.deepEqual([names, source], [['a.example'], 'auto']);
  const refused = await call('renew', 'bad.example');
  assert.deepEqual([refused.code, /this name is not for us/.test(refused.err)], [1, true]);
  const unknown = await call('renew', 'c.example');
  assert.deepEqual([unknown.code, /no certificate for "c\.example"/.test(unknown.err)], [1, true]);
  assert.equal((await call('renew')).code, 2);
  await shown(await proxy.portOf('bad.example'), 'bad.example');
  const local = /^bad\.example +local +SmartProxy local authority \([\w.-]+, \d{4}-\d\d-\d\d\) /m;
  assert.match((await call()).out, local);
  await proxy.program.stop();
});

test('import takes over what another program ordered, and a reload is enough to serve it', async (t) => {
  const workspace = Workspace.of(t, 'import');
  const authority = await AcmeAuthority.start(workspace, { clock: systemClock });
  authority.intercept = (resource) => (resource === 'directory' ? { status: 503 } : null);
  // As Certbot has them: links from live to archive, and older ones beside the newest.
  const live = workspace.path('certbot', 'live', 'a.example');
  const archive = workspace.path('certbot', 'archive', 'a.example');
  mkdirSync(live, { recursive: true });
  const { cert, key } = await other.issue(['a.example', 'www.a.example']);
  for (const [name, text] of [
    ['fullchain', cert + other.certificate],
    ['cert', cert],
    ['chain', other.certificate],
    ['privkey', key],
  ] as const) {
    workspace.write(join('certbot', 'archive', 'a.example', `${name}1.pem`), text);
    symlinkSync(join(archive, `${name}1.pem`), join(live, `${name}.pem`));
  }
  workspace.write(join('certbot', 'orphan.pem'), (await other.issue(['orphan.example'])).cert);
  workspace.write(join('certbot', 'README'), 'not PEM');
  const admin = `unix:${workspace.path('admin.sock')}`;
  const file = workspace.write(
    'smartproxy.config.json',
    JSON.stringify({
      routes: [site('a.example')],
      certificates: { acme: ordering(authority) },
      stateDirectory: workspace.path('state'),
      admin: { listen: admin },
    }),
  );
  const proxy = new RunningProxy(workspace, ['run', '--config', file]);
  await proxy.logs('certificate-failed');
  const run = (...args: string[]) => smartproxy(workspace, ['certificates', 'import', ...args]);

  const { code, out } = await run(workspace.path('certbot'), '--config', file);
  assert.equal(code, 0);
  assert.match(out, /^a\.example: valid until .*\nwww\.a\.example: valid until .*\n/);
  assert.match(out, /skipped .*orphan\.pem: its key is not in the folder\n2 imported into /);
  const folder = workspace.path('state', 'certificates', 'names', 'a.example', 'current');
  assert.equal(readFileSync(join(folder, 'certificate.pem'), 'utf8'), cert + other.certificate);

  await smartproxy(workspace, ['reload', '--admin', admin]);
  assert.match(await shown(await proxy.portOf('a.example'), 'a.example'), /^Somebody /);
  const again = JSON.parse((await run(workspace.path('certbot'), '--config', file, '--json')).out);
  assert.deepEqual(again.imported, []);
  assert.match(again.skipped.at(-1).why, /the store has one that is valid for as long/);
  const twice = await run(workspace.path('certbot'), '--config', file);
  assert.match(twice.out, /\nnothing was imported into .*: no chain that is new/);
  const nowhere = await run(workspace.path('nowhere'), '--directory', workspace.path('elsewhere'));
  assert.deepEqual([nowhere.code, /cannot import .*nowhere: ENOENT/.test(nowhere.err)], [2, true]);
  await proxy.program.stop();
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
