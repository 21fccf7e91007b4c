import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import type { TerminationReason } from '../../src/base/termination.ts';
import { Exposition } from '../../src/metrics/exposition.ts';
import { metricFamilies } from '../../src/metrics/families.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { routeReporter } from '../../src/metrics/route-report.ts';
import { maxLabelledRoutes, otherRoutesLabel } from '../../src/metrics/route-table.ts';
import { Sampler } from '../../src/metrics/sampler.ts';
import type { MemoryTransport } from '../../src/transport/memory-transport.ts';
import { Table, watch } from '../connection/table.ts';
import { routesOf } from '../routing/routes.ts';
import { parseExposition, sumOf } from '../support/exposition.ts';
import { SkippingClock } from '../support/skipping-clock.ts';

let table: Table;
let metrics: Metrics;
let sampler: Sampler;

beforeEach(() => {
  table = new Table();
  metrics = new Metrics(() => table.manager.live());
  sampler = new Sampler(table.clock, metrics, () => table.manager.size);
  table.manager.observe(metrics);
});

/** A connection on a route, or on none. */
function open(route: string | null) {
  const { client, record } = table.accept();
  if (route !== null) table.manager.setRoute(record, routesOf({ name: route })[0]!);
  return { client, record };
}

function pass(route: string | null, reason: TerminationReason = 'client-closed'): void {
  const { client, record } = open(route);
  table.manager.initiateCleanupOnce(record, { reason, effect: 'reset' });
  client.destroy();
  table.clock.advance(1);
  assert.equal(record.state, 'closed');
}

async function exposition(certificates: { names: string[]; validTo: string }[] = [], targets = 1) {
  const pools = Array.from({ length: targets }, (_, index) => ({ target: `t${index}:1`, idle: 1, busy: 2 }));
  const sources = {
    eventLoopDelay: sampler.eventLoopDelay.histogram,
    auditDifference: () => 0,
    networkProxy: () => ({
      connectedClients: 0,
      portProxyConnections: 0,
      tlsTerminatedConnections: 0,
      pools: [...pools, { target: 't0:1', idle: 10, busy: 0 }],
    }),
    certificates: () => certificates,
    wallTime: () => Date.UTC(2026, 0, 1),
  };
  return new Exposition(systemClock, metricFamilies(metrics, sources)).text();
}

test('connections are counted by route, reason, initiator and phase', async () => {
  open('web');
  pass('web', 'connect-refused');
  pass('web', 'connect-refused');
  pass(null, 'no-route');
  open(null);
  metrics.refused('rate-limit', '192.0.2.1', 1024, 1);
  const text = await exposition();
  assert.equal(sumOf(text, 'smartproxy_connections_active', { route: 'web' }), 1);
  assert.equal(sumOf(text, 'smartproxy_connections_active', { route: '(none)' }), 1);
  assert.equal(sumOf(text, 'smartproxy_connections_opened_total', { route: 'web' }), 3);
  assert.equal(sumOf(text, 'smartproxy_connections_opened_total', { route: '(none)' }), 1);
  assert.equal(sumOf(text, 'smartproxy_connections_refused_total', { reason: 'rate-limit' }), 1);
  const refused = { route: 'web', reason: 'connect-refused', initiator: 'target', phase: 'accepted' };
  assert.equal(sumOf(text, 'smartproxy_connections_terminated_total', refused), 2);
  assert.equal(sumOf(text, 'smartproxy_connection_duration_seconds_count'), 3);
  assert.deepEqual(metrics.endings(), [
    { reason: 'connect-refused', initiator: 'target', phase: 'accepted', count: 2 },
    { reason: 'no-route', initiator: 'proxy', phase: 'accepted', count: 1 },
  ]);
});

test('bytes are those of live and ended connections, and never go down when a route becomes known', async () => {
  const live = open('web');
  watch(live.record.client as MemoryTransport);
  live.client.write(Buffer.alloc(100));
  table.clock.advance(1);
  const seen = [metrics.totals().bytes.fromClient];
  const { client, record } = table.accept();
  watch(record.client as MemoryTransport);
  client.write(Buffer.alloc(50));
  table.clock.advance(1);
  seen.push(metrics.totals().bytes.fromClient);
  record.proxyHeaderBytes = 20;
  table.manager.setRoute(record, routesOf({ name: 'web' })[0]!);
  seen.push(metrics.totals().bytes.fromClient);
  table.manager.initiateCleanupOnce(record, { reason: 'client-closed', effect: 'reset' });
  client.destroy();
  table.clock.advance(1);
  seen.push(metrics.totals().bytes.fromClient);
  assert.deepEqual(seen, [100, 100, 130, 130]);
  const direction = { route: 'web', direction: 'from_client' };
  assert.equal(sumOf(await exposition(), 'smartproxy_bytes_total', direction), 130);
});

// M2
test('rates are those of the last ten seconds, and fall to 0 when nothing happens any more', () => {
  sampler.start();
  for (let second = 0; second < 10; second++) {
    for (let index = 0; index < 5; index++) pass('web');
    metrics.requestOver('web', 'GET', 200, 3);
    table.clock.advance(995);
  }
  const { rates } = sampler;
  assert.ok(Math.abs(rates.opened - 5) < 0.01, `${rates.opened} opened a second`);
  assert.ok(Math.abs(rates.terminated - 5) < 0.01);
  assert.ok(Math.abs((rates.terminations['client-closed'] ?? 0) - 5) < 0.01);
  assert.deepEqual([rates.requests, rates.statuses], [1, { '2xx': 1 }]);
  assert.ok(Math.abs(sampler.routeRates('web').opened - 5) < 0.01);
  assert.equal(sampler.routeRates('other').opened, 0);
  table.clock.advance(11_000);
  assert.deepEqual(sampler.rates, {
    ...{ windowMs: 10_000, opened: 0, terminated: 0, refused: 0, requests: 0, handshakes: 0 },
    ...{ bytes: { fromClient: 0, toClient: 0 } },
    ...{ terminations: { 'client-closed': 0 }, refusals: {}, statuses: { '2xx': 0 } },
  });
  assert.equal(sampler.routeRates('web').requests, 0);
  assert.equal(routeReporter(metrics, sampler)('web').rates.opened, 0);
  sampler.stop();
  assert.equal(table.clock.pending, 0);
});

test('a sample that comes late is divided by how long it really was', () => {
  const clock = new SkippingClock();
  const late = new Sampler(clock, metrics, () => 0);
  late.start();
  for (let index = 0; index < 30; index++) metrics.opened();
  clock.skip(3_000);
  const [sample] = late.history(300);
  assert.ok(sample !== undefined && sample.durationMs >= 3_000);
  assert.ok(Math.abs(late.rates.opened - 10) < 1, `${late.rates.opened} a second`);
  assert.ok(sample.eventLoopDelayMs >= 2_000, 'and that it came late is told');
  assert.ok(late.delay.maxMs >= 2_900 && late.delay.p99Ms >= 2_900);
  assert.equal(late.eventLoopDelay.histogram.count, 1);
  late.stop();
  assert.equal(clock.timers, 0);
});

test('the history is bounded, and tells each second for itself', () => {
  sampler.start();
  for (let second = 0; second < 400; second++) {
    if (second === 399) pass('web', 'client-reset');
    table.clock.advance(1_000);
  }
  const samples = sampler.history(1_000);
  assert.equal(samples.length, 300);
  assert.deepEqual(samples.at(-1)?.counts.terminations, { 'client-reset': 1 });
  assert.equal(samples.at(-2)?.counts.terminated, 0);
  sampler.stop();
});

// M3
test('labels are bounded, whatever routes, methods, statuses, targets and names there are', async () => {
  metrics.routes.use(Array.from({ length: 3_000 }, (_, index) => `route-${index}`));
  for (let index = 0; index < 3_000; index++) pass(`route-${index}`);
  for (let index = 0; index < 2_000; index++) {
    metrics.requestOver('route-1', `M${index}`, 100 + (index % 900), 1);
  }
  metrics.requestOver('route-1', 'GET', null, 1);
  const certificates = Array.from({ length: 2_000 }, (_, index) => ({
    names: [`n${index}.test`],
    validTo: '2026-01-02T00:00:00Z',
  }));
  const text = await exposition(certificates, 900);
  const samples = parseExposition(text);
  const labels = (name: string, label: string): Set<string | undefined> =>
    new Set(samples.filter((sample) => sample.name === name).map((sample) => sample.labels[label]));
  assert.equal(labels('smartproxy_connections_active', 'route').size, maxLabelledRoutes + 2);
  assert.equal(sumOf(text, 'smartproxy_connections_opened_total'), 3_000);
  const other = { route: otherRoutesLabel };
  assert.equal(sumOf(text, 'smartproxy_connections_opened_total', other), 3_000 - maxLabelledRoutes);
  assert.deepEqual([...labels('smartproxy_http_requests_total', 'method')].sort(), ['GET', 'other']);
  assert.ok(labels('smartproxy_http_requests_total', 'status').size < 80);
  assert.equal(sumOf(text, 'smartproxy_http_requests_total', { status: 'none' }), 1);
  assert.equal(sumOf(text, 'smartproxy_http_requests_total'), 2_001);
  assert.equal(labels('smartproxy_pool_connections', 'target').size, 501);
  assert.equal(sumOf(text, 'smartproxy_pool_connections', { target: 't0:1', state: 'idle' }), 11);
  assert.equal(sumOf(text, 'smartproxy_pool_connections'), 900 * 3 + 10);
  assert.equal(labels('smartproxy_certificate_expiry_seconds', 'domain').size, 1_001);
  assert.equal(sumOf(text, 'smartproxy_certificate_expiry_seconds', { domain: 'n0.test' }), 86_400);
});

test('a route that was removed is forgotten at the reload after the next, once nobody uses it', () => {
  const names = (): string[] => [...metrics.routes.all()].map(({ route }) => route);
  metrics.routes.use(['a', 'b']);
  const { client, record } = open('b');
  metrics.routes.use(['a']);
  assert.deepEqual(names(), ['(none)', 'a', 'b'], 'its last endings are still to be scraped');
  metrics.routes.use(['a']);
  assert.deepEqual(names(), ['(none)', 'a', 'b'], 'it has a connection');
  table.manager.initiateCleanupOnce(record, { reason: 'route-removed' });
  client.destroy();
  table.clock.advance(1);
  metrics.routes.use(['a']);
  assert.deepEqual(names(), ['(none)', 'a']);
  sampler.start();
  table.clock.advance(1_000);
  assert.equal(metrics.totals().terminated, 1, 'the totals go on');
  sampler.stop();
});

test('what is told of a route names its reasons and statuses', () => {
  pass('web', 'client-reset');
  metrics.requestOver('web', 'GET', 200, 1);
  metrics.requestOver('web', 'POST', 200, 1);
  metrics.requestOver('web', 'GET', 503, 1);
  const { rates, ...report } = routeReporter(metrics, sampler)('web');
  assert.deepEqual(report, {
    ...{ opened: 1, terminated: 1, requests: 3, bytes: { fromClient: 0, toClient: 0 } },
    terminations: { 'client-reset': 1 },
    statuses: { '200': 2, '503': 1 },
  });
  assert.equal(rates.windowMs, 0);
});

test('names of routes with quotes and backslashes are told as they are', async () => {
  const name = 'a "quoted" \\ route, {x="y"}';
  metrics.routes.use([name]);
  pass(name);
  assert.equal(sumOf(await exposition(), 'smartproxy_connections_opened_total', { route: name }), 1);
});

test('durations fall into the buckets that include them, and buckets are cumulative', async () => {
  for (const milliseconds of [0, 0.5, 0.6, 1_000, 61_000]) metrics.dialOver(milliseconds);
  const text = await exposition();
  const bucket = (le: string): number => sumOf(text, 'smartproxy_dial_duration_seconds_bucket', { le });
  assert.deepEqual(['0.0005', '0.001', '0.5', '1', '60', '+Inf'].map(bucket), [2, 3, 3, 4, 4, 5]);
  assert.equal(sumOf(text, 'smartproxy_dial_duration_seconds_count'), 5);
  assert.ok(Math.abs(sumOf(text, 'smartproxy_dial_duration_seconds_sum') - 62.0011) < 1e-9);
});
