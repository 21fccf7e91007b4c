import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Limits, ResolvedRoute } from '../../src/config/resolved.ts';
import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import { addressesPerGeneration } from '../../src/security/rate-table.ts';
import { SecurityManager } from '../../src/security/security-manager.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { type LogLine, limitedRoute, memoryLog, noLimits, recordOf } from './records.ts';

const empty = { held: 0, connections: 0, addresses: 0, rateEntries: 0, routes: {} };

describe('SecurityManager', () => {
  let clock: VirtualClock;
  let lines: LogLine[];
  let security: SecurityManager;

  function start(limits: Partial<Limits>): void {
    const log = memoryLog();
    lines = log.lines;
    security = new SecurityManager({ clock, limits: { ...noLimits, ...limits }, log: log.log });
  }

  /** What the spine does with a new connection. */
  function arrive(ip: string, route: ResolvedRoute | null = null): ConnectionRecord | null {
    if (security.check(ip) !== null) return null;
    const record = recordOf(ip, route);
    security.hold(record);
    if (route === null) return record;
    if (security.checkRoute(route, ip) !== null) {
      security.ended(record);
      return null;
    }
    security.holdRoute(record);
    return record;
  }

  beforeEach(() => {
    clock = new VirtualClock();
    start({});
  });

  afterEach(() => {
    security.stop();
    assert.equal(clock.pending, 0);
  });

  // S1
  it('admits exactly as many of an address as it may have, and one more when one has ended', () => {
    start({ maxConnectionsPerIp: 3 });
    const records = Array.from({ length: 5 }, () => arrive('10.0.0.1'));
    assert.equal(records.filter((record) => record !== null).length, 3);
    assert.equal(security.check('10.0.0.1'), 'connection-limit');
    assert.equal(security.check('10.0.0.2'), null);
    security.ended(records[0] as ConnectionRecord);
    assert.ok(arrive('10.0.0.1'));
    assert.equal(arrive('10.0.0.1'), null);
    assert.equal(security.activeFor('10.0.0.1'), 3);
  });

  // S1
  it('admits exactly as many as the process may have', () => {
    start({ maxConnections: 2 });
    const records = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((ip) => arrive(ip));
    assert.equal(records[2], null);
    assert.equal(security.checkProcess(), 'connection-limit');
    security.ended(records[1] as ConnectionRecord);
    assert.equal(security.checkProcess(), null);
  });

  // P5
  it('counts a record behind a trusted proxy for the process first, and for its client later', () => {
    start({ maxConnections: 2, maxConnectionsPerIp: 1 });
    const proxied = recordOf('192.0.2.1');
    security.holdProcess(proxied);
    assert.equal(security.addressCount, 0);
    proxied.clientAddress = { ip: '10.0.0.1', port: 1 };
    assert.equal(security.checkAddress('10.0.0.1'), null);
    security.hold(proxied);
    assert.deepEqual(security.snapshot(), { ...empty, held: 1, connections: 1, addresses: 1 });
    assert.equal(security.activeFor('10.0.0.1'), 1);
    assert.equal(security.checkAddress('10.0.0.1'), 'connection-limit');
    assert.equal(security.activeFor('192.0.2.1'), 0);
  });

  // L3
  it('releases what a record holds once, however often it is told of the ending', () => {
    const route = limitedRoute('web', { maxConnectionsPerIp: 9 });
    const [first, second] = [arrive('10.0.0.1', route), arrive('10.0.0.1', route)];
    security.hold(first as ConnectionRecord);
    security.holdRoute(first as ConnectionRecord);
    assert.deepEqual(security.snapshot(), {
      ...empty,
      held: 2,
      connections: 2,
      addresses: 1,
      routes: { web: 2 },
    });
    for (let i = 0; i < 3; i++) security.ended(first as ConnectionRecord);
    assert.deepEqual(security.snapshot(), {
      ...empty,
      held: 1,
      connections: 1,
      addresses: 1,
      routes: { web: 1 },
    });
    security.ended(second as ConnectionRecord);
    security.ended(recordOf('10.0.0.1'));
    assert.deepEqual(security.snapshot(), empty);
  });

  it('releases the address that it counted, also when the record has another one since', () => {
    const record = arrive('10.0.0.1') as ConnectionRecord;
    record.clientAddress = { ip: '10.9.9.9', port: 1 };
    security.ended(record);
    assert.deepEqual(security.snapshot(), empty);
  });

  it('lets the stated number through at once, and then as many as a minute gives back', () => {
    start({ connectionsPerMinutePerIp: 60 });
    const admitted = (): number =>
      Array.from({ length: 100 }, () => security.check('10.0.0.1')).filter((reason) => reason === null)
        .length;
    assert.equal(admitted(), 60);
    assert.equal(security.check('10.0.0.1'), 'rate-limit');
    assert.equal(security.check('10.0.0.2'), null);
    clock.advance(10_000);
    assert.equal(admitted(), 10);
    clock.advance(60_000);
    assert.equal(admitted(), 60);
  });

  it('does not let a connection that is refused for its number use up the rate', () => {
    start({ maxConnectionsPerIp: 1, connectionsPerMinutePerIp: 2 });
    const record = arrive('10.0.0.1') as ConnectionRecord;
    for (let i = 0; i < 5; i++) assert.equal(security.check('10.0.0.1'), 'connection-limit');
    security.ended(record);
    assert.equal(security.check('10.0.0.1'), null);
    assert.equal(security.check('10.0.0.1'), 'rate-limit');
  });

  // S2
  it('remembers nothing of a million addresses that are gone', () => {
    start({ maxConnectionsPerIp: 5, connectionsPerMinutePerIp: 100 });
    let most = 0;
    for (let i = 0; i < 1_000_000; i++) {
      const ip = `${10 + (i >>> 24)}.${(i >>> 16) & 255}.${(i >>> 8) & 255}.${i & 255}`;
      const record = recordOf(ip);
      assert.equal(security.check(ip), null);
      security.hold(record);
      security.ended(record);
      if (i % 10_000 === 0) most = Math.max(most, security.snapshot().rateEntries);
    }
    assert.ok(most <= 2 * addressesPerGeneration, `${most} entries`);
    clock.advance(120_000);
    assert.deepEqual(security.snapshot(), empty);
    assert.equal(clock.pending, 0);
  });

  // S3
  it('logs a flood as one line a second for each reason, and loses none from the count', () => {
    start({ connectionsPerMinutePerIp: 1 });
    assert.equal(security.check('10.0.0.1'), null);
    for (let i = 0; i < 5_000; i++) {
      assert.equal(security.check('10.0.0.1'), 'rate-limit');
      clock.advance(1);
    }
    assert.equal(security.snapshot().rateEntries, 1);
    clock.advance(5_000);
    assert.ok(lines.length <= 6, `${lines.length} lines`);
    assert.ok(
      lines.every(({ event, fields }) => event === 'connections-refused' && fields.reason === 'rate-limit'),
    );
    assert.equal(
      lines.reduce((sum, { fields }) => sum + Number(fields.count), 0),
      5_000,
    );
    assert.deepEqual(lines[0]?.fields, { reason: 'rate-limit', count: 1, address: '10.0.0.1' });
  });

  // S3
  it('writes what it still owes when it stops', () => {
    start({ maxConnections: 1 });
    arrive('10.0.0.1');
    for (let i = 0; i < 3; i++) security.check('10.0.0.2');
    security.stop();
    assert.deepEqual(
      lines.map(({ fields }) => fields.count),
      [1, 2],
    );
  });

  // S4
  it('refuses at the limit of one route, and goes on with the others', () => {
    const [small, other] = [limitedRoute('small', { maxConnections: 1 }), limitedRoute('other', {})];
    const record = arrive('10.0.0.1', small) as ConnectionRecord;
    assert.equal(security.checkRoute(small, '10.0.0.2'), 'connection-limit');
    assert.ok(arrive('10.0.0.1', other));
    security.ended(record);
    assert.equal(security.checkRoute(small, '10.0.0.2'), null);
  });

  // S4
  it('keeps the limits of a route for each address apart from those of others', () => {
    const route = limitedRoute('web', { maxConnectionsPerIp: 1, connectionsPerMinutePerIp: 2 });
    const other = limitedRoute('other', { connectionsPerMinutePerIp: 2 });
    const record = arrive('10.0.0.1', route) as ConnectionRecord;
    assert.equal(security.checkRoute(route, '10.0.0.1'), 'connection-limit');
    assert.equal(security.checkRoute(route, '10.0.0.2'), null);
    security.ended(record);
    assert.equal(security.checkRoute(route, '10.0.0.1'), null);
    assert.equal(security.checkRoute(route, '10.0.0.1'), 'rate-limit');
    assert.equal(security.checkRoute(other, '10.0.0.1'), null);
    assert.equal(lines.at(-1)?.fields.route, 'web');
  });

  it('refuses who is blocked, and who is not allowed; blocking wins', () => {
    const route = limitedRoute('web', {}, { allow: ['10.0.0.0/8'], block: ['10.6.6.0/24'] });
    assert.equal(security.checkRoute(route, '10.0.0.1'), null);
    assert.equal(security.checkRoute(route, '10.6.6.1'), 'blocked');
    assert.equal(security.checkRoute(route, '192.0.2.1'), 'blocked');
    const open = limitedRoute('open', {}, { block: ['2001:db8::/32'] });
    assert.equal(security.checkRoute(open, '192.0.2.1'), null);
    assert.equal(security.checkRoute(open, '2001:db8::1'), 'blocked');
    // P6
    assert.equal(
      security.checkRoute(limitedRoute('v4', {}, { block: ['::ffff:10.0.0.0/104'] }), '10.0.0.1'),
      'blocked',
    );
  });

  it('keeps its counts over a reload', () => {
    const before = limitedRoute('web', {});
    const records = Array.from({ length: 3 }, () => arrive('10.0.0.1', before) as ConnectionRecord);
    security.setLimits({ ...noLimits, maxConnectionsPerIp: 3 });
    assert.equal(security.check('10.0.0.1'), 'connection-limit');
    assert.equal(
      security.checkRoute(limitedRoute('web', { maxConnections: 3 }), '10.0.0.2'),
      'connection-limit',
    );
    for (const record of records) security.ended(record);
    assert.equal(security.check('10.0.0.1'), null);
    assert.equal(security.checkRoute(limitedRoute('web', { maxConnections: 3 }), '10.0.0.2'), null);
  });

  // S1
  it('never admits more than a limit, and is empty at the end, whatever comes and goes', () => {
    const routes = [
      limitedRoute('a', { maxConnections: 4 }),
      limitedRoute('b', { maxConnectionsPerIp: 1 }),
      null,
    ];
    const step = fc.record({ ip: fc.nat(3), route: fc.nat(2), end: fc.boolean(), which: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        start({ maxConnections: 8, maxConnectionsPerIp: 3 });
        const open: ConnectionRecord[] = [];
        for (const { ip, route, end, which } of steps) {
          if (end && open.length > 0)
            security.ended(open.splice(which % open.length, 1)[0] as ConnectionRecord);
          const record = arrive(`10.0.0.${ip}`, routes[route] ?? null);
          if (record !== null) open.push(record);
          const at = (wanted: string): number =>
            open.filter(({ clientAddress }) => clientAddress.ip === wanted).length;
          assert.ok(open.length <= 8 && at(`10.0.0.${ip}`) <= 3);
          assert.ok(open.filter(({ route }) => route?.name === 'a').length <= 4);
          assert.equal(security.snapshot().connections, open.length);
        }
        for (const record of open) security.ended(record);
        assert.deepEqual(security.snapshot(), empty);
        security.stop();
      }),
    );
  });
});
