import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { getuid } from 'node:process';
import { it } from 'node:test';
import { hasPrograms, programPath } from '../support/debian.ts';
import { ProxyFixture, tcpRoute } from '../support/proxy-fixture.ts';
import { freePort, Workspace } from '../support/workspace.ts';

async function startSshd(workspace: Workspace): Promise<number> {
  for (const key of ['host', 'user']) {
    await workspace.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', workspace.path(key)]);
  }
  // Where sshd, started as root, separates its privileges.
  if (getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  const configuration = workspace.write(
    'sshd_config',
    `ListenAddress 127.0.0.1:${port}
HostKey ${workspace.path('host')}
AuthorizedKeysFile ${workspace.path('user.pub')}
PidFile ${workspace.path('sshd.pid')}
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
`,
  );
  await workspace.startServer(port, programPath('sshd'), ['-D', '-e', '-f', configuration]);
  return port;
}

// L18
it('ssh runs a command through a route that waits for no client data', async (t) => {
  if (!hasPrograms(t, 'sshd', 'ssh')) return;
  const workspace = Workspace.of(t, 'openssh');
  const port = await startSshd(workspace);
  // With first bytes awaited this long, a greeting that waits for the client would miss ssh's own deadline.
  const fixture = await ProxyFixture.start(workspace, [tcpRoute('shell', port)], {
    timeouts: { initialDataMs: 120_000 },
  });
  const options = [
    ...['-F', '/dev/null', '-i', workspace.path('user'), '-p', `${fixture.portOf('shell')}`],
    ...[
      '-o',
      `UserKnownHostsFile=${workspace.path('known_hosts')}`,
      '-o',
      'StrictHostKeyChecking=accept-new',
    ],
    ...['-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR', '-o', 'ConnectTimeout=20'],
  ];
  const input = 'line of input\n'.repeat(200_000);
  const command = [...options, `${userInfo().username}@127.0.0.1`, 'sha256sum'];
  const output = await workspace.run(programPath('ssh'), command, { input });

  assert.equal(output.split(' ')[0], createHash('sha256').update(input).digest('hex'));
  const ending = await fixture.ending();
  assert.equal(ending.termination?.reason, 'client-closed');
  assert.ok(ending.bytes.fromClient > input.length);
});
