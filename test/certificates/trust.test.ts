import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import {
  type DebianTrust,
  distrustOnDebian,
  type TrustedAuthority,
  trustedAuthority,
  trustOnDebian,
  trustSteps,
} from '../../src/certificates/trust.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { Workspace } from '../support/workspace.ts';

const authority = await LocalAuthority.create({ clock: systemClock, name: 'Test authority (here, today)' });
const other = await LocalAuthority.create({ clock: systemClock, name: 'Another authority' });

/** The real tool of the system, on folders of the test's own. */
function debian(workspace: Workspace): Required<DebianTrust> {
  const [folder, trusted, hooks] = ['local', 'trusted', 'hooks'].map((name) => workspace.path(name));
  for (const made of [folder, trusted, hooks]) mkdirSync(made!);
  const places = ['--localcertsdir', folder!, '--etccertsdir', trusted!, '--hooksdir', hooks!];
  const none = ['--certsconf', workspace.write('none.conf', '# none\n'), '--certsdir', hooks!];
  // As everywhere, it is not the only one.
  workspace.write('local/other.crt', other.certificate);
  return { folder: folder!, update: [programPath('update-ca-certificates'), ...places, ...none] };
}

async function verifies(workspace: Workspace): Promise<boolean> {
  const leaf = workspace.write('leaf.pem', (await authority.issue(['a.test'])).cert);
  const bundle = ['-no-CAfile', '-no-CAstore', '-CApath', workspace.path('trusted')];
  return workspace.run(programPath('openssl'), ['verify', ...bundle, leaf]).then(
    () => true,
    () => false,
  );
}

function stored(workspace: Workspace): TrustedAuthority {
  return trustedAuthority(authority, workspace.write('authority.pem', authority.certificate));
}

function lacksTools(context: TestContext): boolean {
  return !hasPrograms(context, 'update-ca-certificates', 'openssl');
}

test('a Debian system trusts the authority, again, and no more', async (t) => {
  if (lacksTools(t)) return;
  const workspace = Workspace.of(t, 'trust');
  const [system, own] = [debian(workspace), stored(workspace)];
  assert.ok(!(await verifies(workspace)));
  const file = await trustOnDebian(own, system);
  assert.ok(existsSync(file));
  assert.equal(await trustOnDebian(own, system), file);
  assert.ok(await verifies(workspace));
  assert.equal(await distrustOnDebian(own, system), file);
  assert.ok(!(await verifies(workspace)));
  assert.deepEqual(readdirSync(workspace.path('local')), ['other.crt']);
  await distrustOnDebian(own, system);
});

test('authorities do not replace each other', async (t) => {
  if (lacksTools(t)) return;
  const workspace = Workspace.of(t, 'trust');
  const system = debian(workspace);
  const second = await LocalAuthority.create({ clock: systemClock, name: authority.name });
  await trustOnDebian(stored(workspace), system);
  await trustOnDebian(trustedAuthority(second, workspace.write('second.pem', second.certificate)), system);
  assert.equal(readdirSync(workspace.path('local')).length, 3);
  assert.ok(await verifies(workspace));
});

test('what the system’s tool says is told', async (t) => {
  const workspace = Workspace.of(t, 'trust');
  const own = stored(workspace);
  const missing = { folder: workspace.path('nowhere'), update: ['true'] };
  await assert.rejects(trustOnDebian(own, missing), { code: 'trust-failed', message: /ENOENT.*nowhere/ });
  const failing = { folder: workspace.folder, update: ['sh', '-c', 'echo no space left >&2; exit 3'] };
  await assert.rejects(trustOnDebian(own, failing), { code: 'trust-failed', message: /no space left/ });
});

test('the commands name the files as a shell needs them', () => {
  const own = trustedAuthority(authority, "/it's here/authority.pem");
  const commands = trustSteps(own).flatMap((step) => step.commands);
  assert.ok(commands.includes("curl --cacert '/it'\\''s here/authority.pem' https://app.localhost:8443/"));
  const short = authority.fingerprint.replaceAll(':', '').slice(0, 12).toLowerCase();
  const installed = `/usr/local/share/ca-certificates/smartproxy-${short}.crt`;
  assert.ok(commands.includes(`sudo cp '/it'\\''s here/authority.pem' ${installed}`));
  assert.ok(commands.includes(`sudo rm ${installed} && sudo update-ca-certificates --fresh`));
});
