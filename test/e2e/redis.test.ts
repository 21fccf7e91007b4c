import assert from 'node:assert/strict';
import { it } from 'node:test';
import { hasPrograms, programPath } from '../support/debian.ts';
import { CountingTap, ProxyFixture, tcpRoute } from '../support/proxy-fixture.ts';
import { freePort, Workspace } from '../support/workspace.ts';

// M1
it('redis-cli reads back a large value through the proxy, and every byte is counted once', async (t) => {
  if (!hasPrograms(t, 'redis-server', 'redis-cli')) return;
  const workspace = Workspace.of(t, 'redis');
  const port = await freePort();
  const serverArguments = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    workspace.folder,
  ];
  await workspace.startServer(port, programPath('redis-server'), serverArguments);
  const fixture = await ProxyFixture.start(workspace, [tcpRoute('redis', port)]);
  const tap = await CountingTap.start(workspace, fixture.portOf('redis'));
  const value = 'value '.repeat(500_000);
  const cli = (args: string[], input = '') =>
    workspace.run(programPath('redis-cli'), ['-p', `${tap.port}`, ...args], { input });

  assert.equal((await cli(['-x', 'set', 'key'], value)).trim(), 'OK');
  assert.equal((await cli(['get', 'key'])).trimEnd(), value.trimEnd());

  assert.deepEqual(await fixture.reasons(), ['client-closed', 'client-closed']);
  const sum = (side: 'fromClient' | 'toClient') =>
    fixture.endings.reduce((total, { bytes }) => total + bytes[side], 0);
  assert.deepEqual([sum('fromClient'), sum('toClient')], [tap.fromClient, tap.toClient]);
});
