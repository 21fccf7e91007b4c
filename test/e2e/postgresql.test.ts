import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getuid } from 'node:process';
import { it } from 'node:test';
import { selfSigned } from '../support/certificates.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { CountingTap, ProxyFixture, tcpRoute } from '../support/proxy-fixture.ts';
import { freePort, Workspace } from '../support/workspace.ts';

/** PostgreSQL refuses to run as root: then it runs as the user that its package made. */
function serverIdentity(): { uid?: number; gid?: number } {
  if (getuid?.() !== 0) return {};
  const id = (flag: string): number =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim());
  return { uid: id('-u'), gid: id('-g') };
}

async function startPostgres(workspace: Workspace): Promise<number> {
  const identity = serverIdentity();
  const { certFile, keyFile } = await selfSigned(workspace, 'localhost');
  const data = workspace.path('data');
  mkdirSync(data, { mode: 0o700 });
  chmodSync(workspace.folder, 0o755);
  chmodSync(keyFile, 0o600);
  if (identity.uid !== undefined && identity.gid !== undefined) {
    for (const path of [data, keyFile]) chownSync(path, identity.uid, identity.gid);
  }
  const initdb = join(dirname(programPath('postgres')), 'initdb');
  await workspace.run(initdb, ['-D', data, '-U', 'tester', '-A', 'trust', '--no-sync'], identity);
  const port = await freePort();
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: 'off',
    ssl: 'on',
    ssl_cert_file: certFile,
    ssl_key_file: keyFile,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = workspace.start(programPath('postgres'), ['-D', data, ...args], identity);
  await server.says(/ready to accept connections/);
  return port;
}

it('psql speaks TLS to PostgreSQL through plain TCP, and every byte of the answers is counted once', async (t) => {
  if (!hasPrograms(t, 'postgres', 'psql', 'openssl')) return;
  const workspace = Workspace.of(t, 'postgresql');
  const port = await startPostgres(workspace);
  const fixture = await ProxyFixture.start(workspace, [tcpRoute('database', port)]);
  const tap = await CountingTap.start(workspace, fixture.portOf('database'));
  const connection = `host=127.0.0.1 port=${tap.port} user=tester dbname=postgres sslmode=require`;
  const query = (sql: string) => workspace.run(programPath('psql'), ['-XqAt', '-c', sql, connection]);

  assert.equal((await query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')).trim(), 't');
  assert.equal((await query("select repeat('row ', 1000000)")).length, 4_000_001);

  // PostgreSQL ends on psql's last message, and resets where psql's close_notify comes after it.
  const reasons = await fixture.reasons();
  for (const reason of reasons) assert.match(`${reason}`, /^(client-closed|target-closed|target-reset)$/);
  const sum = (side: 'fromClient' | 'toClient') =>
    fixture.endings.reduce((total, { bytes }) => total + bytes[side], 0);
  assert.equal(sum('toClient'), tap.toClient);
  if (!reasons.includes('target-reset')) assert.equal(sum('fromClient'), tap.fromClient);
});
