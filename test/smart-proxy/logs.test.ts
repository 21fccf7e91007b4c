import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TerminationReason } from '../../src/base/termination.ts';
import { ConnectionLog } from '../../src/smart-proxy/connection-log.ts';
import { type Accepted, Table } from '../connection/table.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { scoped } from '../support/scoped.ts';
import { tcp, tls } from './routes.ts';
import { Stage } from './stage.ts';

test('a rejected flood is twenty lines and then one a second, and each is counted', () => {
  const table = new Table();
  const log = new RecordingLog();
  const connectionLog = new ConnectionLog(table.clock, log, true);
  table.manager.observe(connectionLog);
  const end = ({ client, record }: Accepted, reason: TerminationReason): void => {
    table.manager.initiateCleanupOnce(record, { reason, effect: 'reset' });
    client.destroy();
    table.clock.flush();
  };
  const flood = (count: number): void => {
    for (let index = 0; index < count; index++) end(table.accept(), 'blocked');
  };
  flood(200);
  for (let index = 0; index < 50; index++) end(table.join(), 'client-closed');
  table.clock.advance(1_000);
  flood(100);
  table.clock.advance(1_000);
  flood(5);
  connectionLog.stop();
  const ownLines = (reason: TerminationReason): number =>
    log.lines.filter(
      ({ event, fields }) =>
        event === 'connection-closed' && (fields.termination as { reason: string }).reason === reason,
    ).length;
  assert.deepEqual(
    [ownLines('blocked'), ownLines('client-closed')],
    [20, 50],
    'what was served has its line',
  );
  const counts = log.lines.filter(({ event }) => event === 'connections-closed');
  assert.deepEqual(
    counts.map(({ level, fields }) => [level, fields.reason, fields.initiator, fields.count]),
    [180, 100, 5].map((count) => ['info', 'blocked', 'proxy', count]),
  );
  assert.deepEqual(
    [counts[0]?.fields.route, counts[0]?.fields.client],
    [null, table.accept().record.clientAddress.ip],
  );
});

// L21
test('a TCP health check is one quiet line, and is shown for what it is', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy([tls('a.test', backend.port), tcp(backend.port)], {
    admin: { listen: '127.0.0.1:0' },
  });
  for (const [index, route] of ['a.test', 'tcp', 'a.test'].entries()) {
    (await stage.connect(staged.portOf(route)).connected()).end();
    await staged.ended(index + 1);
  }
  const lines = staged.log.filter(({ event }) => event !== 'ready');
  assert.deepEqual(
    lines.map(({ level, event }) => `${level} ${event}`),
    ['a.test', 'tcp', 'a.test'].map(() => 'info connection-closed'),
  );
  for (const { fields } of lines)
    assert.equal((fields.termination as { reason: string }).reason, 'client-closed');
  const { id } = staged.endings[0]!;
  const { story } = (await staged.proxy.control.explain(id)) as { story: string };
  assert.match(story, /closed without having sent a byte, as health checks do\. 1 other today\.$/);
  const metrics = (await staged.proxy.metrics())?.text ?? '';
  assert.match(
    metrics,
    /^smartproxy_connections_terminated_total\{route="\(none\)",reason="client-closed",initiator="client",phase="reading-first-bytes"\} 2$/m,
  );
  assert.match(metrics, /^smartproxy_connections_active\{route="a\.test"\} 0$/m);
});
