import assert from 'node:assert/strict';
import { it } from 'node:test';
import { hasPrograms, programPath } from '../support/debian.ts';
import { startNginx } from '../support/nginx.ts';
import { ProxyFixture, tcpRoute } from '../support/proxy-fixture.ts';
import { Workspace } from '../support/workspace.ts';

it('a backend that closes without an answer ends the connection as target-closed', async (t) => {
  if (!hasPrograms(t, 'nginx', 'curl')) return;
  const workspace = Workspace.of(t, 'nginx');
  const port = await startNginx(workspace, 'location / { return 444; }');
  const fixture = await ProxyFixture.start(workspace, [tcpRoute('site', port)]);
  const request = workspace.run(programPath('curl'), ['-sS', `http://127.0.0.1:${fixture.portOf('site')}/`]);
  await assert.rejects(request, /Empty reply from server/);

  const ending = await fixture.ending();
  assert.deepEqual([ending.termination?.reason, ending.bytes.toClient], ['target-closed', 0]);
});

it('a backend that closes in the middle of an upload ends it, and nothing else', async (t) => {
  if (!hasPrograms(t, 'nginx', 'curl')) return;
  const workspace = Workspace.of(t, 'nginx');
  const port = await startNginx(workspace, 'location / { client_max_body_size 1k; return 200 "ok"; }');
  const fixture = await ProxyFixture.start(workspace, [tcpRoute('site', port)]);
  const url = `http://127.0.0.1:${fixture.portOf('site')}/`;
  const upload = workspace.write('upload', 'x'.repeat(20_000_000));
  // nginx drops what it has not read: whether its 413 gets through, and who leaves first, depends on who is quicker.
  const curl = workspace.start(programPath('curl'), [
    '-sS',
    '-H',
    'Expect:',
    '--data-binary',
    `@${upload}`,
    url,
  ]);
  await curl.exited();
  assert.equal(await workspace.run(programPath('curl'), ['-sS', url]), 'ok');

  const reasons = await fixture.reasons();
  assert.equal(reasons.length, 2);
  for (const reason of reasons) assert.match(`${reason}`, /^(target-closed|target-reset|client-closed)$/);
});
