import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { errorCode } from '../../src/base/errors.ts';
import type { Dns, DnsMode, DnsQuery, Lookup } from '../../src/transport/dns.ts';
import {
  createDns,
  maxPendingNames,
  maxSystemLookups,
  minTtlMs,
  resolutionDelayMs,
  systemTtlMs,
} from '../../src/transport/dns.ts';
import { failureTtlMs, staleAnswerMs, staleMs } from '../../src/transport/dns-entry.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** getaddrinfo that answers when the test says so. */
class ManualLookup {
  readonly asked: { host: string; answer: Parameters<Lookup>[2] }[] = [];
  readonly lookup: Lookup = (host, _options, answer) => void this.asked.push({ host, answer });

  answer(host: string, addresses: string[]): void {
    const found = addresses.map(
      (address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }),
    );
    this.#take(host).answer(null, found);
  }

  fail(host: string, code: string): void {
    this.#take(host).answer(Object.assign(new Error(code), { code }), []);
  }

  #take(host: string): { answer: Parameters<Lookup>[2] } {
    const index = this.asked.findIndex((one) => one.host === host);
    assert.notEqual(index, -1, `${host} was not asked for`);
    return this.asked.splice(index, 1)[0] as { answer: Parameters<Lookup>[2] };
  }
}

interface Told {
  addresses: (readonly string[])[];
  last: boolean;
  error: Error | undefined;
  query: DnsQuery;
  ended: Promise<void>;
}

function ask(dns: Dns, host: string, mode: DnsMode = 'system'): Told {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const told: Omit<Told, 'query'> = { addresses: [], last: false, error: undefined, ended };
  const query = dns.resolve(host, mode, {
    onAddresses(addresses, last) {
      assert.ok(!told.last && told.error === undefined, 'nothing follows the last answer');
      told.addresses.push([...addresses]);
      told.last = last;
      if (last) end();
    },
    onFailed(error) {
      assert.ok(!told.last && told.error === undefined, 'nothing follows the last answer');
      told.error = error;
      end();
    },
  });
  return Object.assign(told, { query });
}

function manual(maxNames = 1000): { dns: Dns; clock: VirtualClock; names: ManualLookup } {
  const clock = new VirtualClock();
  const names = new ManualLookup();
  return { dns: createDns({ clock, lookup: names.lookup, maxNames }), clock, names };
}

test('a name of this machine is looked up by getaddrinfo', async () => {
  const dns = createDns({ clock: systemClock });
  const told = ask(dns, 'localhost');
  await told.ended;
  assert.ok(told.addresses.flat().some((ip) => ip === '127.0.0.1' || ip === '::1'));
  dns.close();
});

test('everybody who asks meanwhile shares one lookup', () => {
  const { dns, clock, names } = manual();
  const all = [ask(dns, 'a.test'), ask(dns, 'a.test'), ask(dns, 'a.test')];
  assert.equal(names.asked.length, 1);
  names.answer('a.test', ['127.0.0.1', '::1']);
  for (const told of all) assert.deepEqual(told.addresses, [['127.0.0.1', '::1']]);
  assert.equal(clock.pending, 0);
});

test('an answer of getaddrinfo serves for 30 s, then it is asked again', () => {
  const { dns, clock, names } = manual();
  ask(dns, 'a.test');
  names.answer('a.test', ['127.0.0.1']);
  clock.advance(systemTtlMs - 1);
  assert.deepEqual(ask(dns, 'a.test').addresses, [['127.0.0.1']], 'answered within the call');
  assert.equal(names.asked.length, 0);
  clock.advance(1);
  const later = ask(dns, 'a.test');
  names.answer('a.test', ['127.0.0.2']);
  assert.deepEqual(later.addresses, [['127.0.0.2']]);
  assert.equal(clock.pending, 0);
});

test('a failure is believed for one second', () => {
  const { dns, clock, names } = manual();
  const first = ask(dns, 'a.test');
  names.fail('a.test', 'ENOTFOUND');
  assert.match(String(first.error), /ENOTFOUND/);
  clock.advance(failureTtlMs - 1);
  assert.match(String(ask(dns, 'a.test').error), /ENOTFOUND/);
  clock.advance(1);
  const later = ask(dns, 'a.test');
  names.answer('a.test', ['127.0.0.1']);
  assert.deepEqual(later.addresses, [['127.0.0.1']]);
});

test('while nobody can tell, the last good answer goes on serving, for five minutes', () => {
  const { dns, clock, names } = manual();
  ask(dns, 'a.test');
  names.answer('a.test', ['127.0.0.1']);
  clock.advance(systemTtlMs);
  const told = ask(dns, 'a.test');
  names.fail('a.test', 'EAI_AGAIN');
  assert.deepEqual(told.addresses, [['127.0.0.1']]);
  assert.equal(names.asked.length, 0, 'within a second of the failure nobody asks again');
  assert.deepEqual(ask(dns, 'a.test').addresses, [['127.0.0.1']]);
  clock.advance(staleMs);
  const late = ask(dns, 'a.test');
  names.fail('a.test', 'EAI_AGAIN');
  assert.match(String(late.error), /EAI_AGAIN/);
});

test('that a name does not exist any more is believed at once', () => {
  const { dns, clock, names } = manual();
  ask(dns, 'a.test');
  names.answer('a.test', ['127.0.0.1']);
  clock.advance(systemTtlMs);
  const told = ask(dns, 'a.test');
  names.fail('a.test', 'ENOTFOUND');
  assert.match(String(told.error), /ENOTFOUND/);
});

test('with an old answer at hand nobody waits long for a slow lookup', () => {
  const { dns, clock, names } = manual();
  ask(dns, 'a.test');
  names.answer('a.test', ['127.0.0.1']);
  clock.advance(systemTtlMs);
  const told = ask(dns, 'a.test');
  clock.advance(staleAnswerMs - 1);
  assert.deepEqual(told.addresses, []);
  clock.advance(1);
  assert.deepEqual(told.addresses, [['127.0.0.1']]);
  names.answer('a.test', ['127.0.0.2']);
  assert.deepEqual(ask(dns, 'a.test').addresses, [['127.0.0.2']]);
  assert.equal(clock.pending, 0);
});

test('slow names do not take all threads: the others wait, and an abort takes a waiting one back', () => {
  const { dns, names } = manual();
  const told = Array.from({ length: 10 }, (_, index) => ask(dns, `slow${index}.test`));
  assert.equal(names.asked.length, maxSystemLookups);
  told[2]?.query.cancel();
  names.answer('slow0.test', ['127.0.0.1']);
  assert.deepEqual(
    names.asked.map((one) => one.host),
    ['slow1.test', 'slow3.test'],
  );
  assert.deepEqual(told[2]?.addresses, []);
});

test('the number of names under way is bounded', () => {
  const { dns, names } = manual();
  const told = Array.from({ length: maxPendingNames + 1 }, (_, index) => ask(dns, `n${index}.test`));
  assert.equal(errorCode(told.at(-1)?.error), 'dns-overloaded');
  for (const one of told) one.query.cancel();
  for (const one of [...names.asked]) names.answer(one.host, ['127.0.0.1']);
  assert.equal(names.asked.length, 0);
});

test('the cache is bounded: the name that was asked for longest ago is forgotten', () => {
  const { dns, names } = manual(2);
  for (const host of ['a.test', 'b.test', 'c.test']) {
    ask(dns, host);
    names.answer(host, ['127.0.0.1']);
  }
  ask(dns, 'b.test');
  assert.equal(names.asked.length, 0);
  ask(dns, 'a.test');
  assert.equal(names.asked.length, 1);
});

test('after a cancel or close nobody is called', () => {
  const { dns, clock, names } = manual();
  const told = ask(dns, 'a.test');
  told.query.cancel();
  told.query.cancel();
  const other = ask(dns, 'a.test');
  dns.close();
  names.answer('a.test', ['127.0.0.1']);
  assert.deepEqual(
    [told.addresses, other.addresses, told.error, other.error],
    [[], [], undefined, undefined],
  );
  assert.equal(clock.pending, 0);
  assert.ok(ask(dns, 'b.test').error !== undefined);
});

test('the resolver asks for both families and honours the TTL', async () => {
  const server = await startDnsServer({ 'a.test': { a: ['127.0.0.1'], aaaa: ['::1'], ttl: 5 } });
  const clock = new VirtualClock();
  const dns = createDns({ clock, servers: [server.address] });
  const told = ask(dns, 'a.test', 'resolver');
  await told.ended;
  assert.deepEqual(told.addresses.flat().sort(), ['127.0.0.1', '::1'].sort());
  assert.deepEqual(server.questions.toSorted(), ['a.test A', 'a.test AAAA']);
  clock.advance(4_999);
  assert.equal(ask(dns, 'a.test', 'resolver').last, true);
  assert.equal(server.questions.length, 2);
  clock.advance(1);
  await ask(dns, 'a.test', 'resolver').ended;
  assert.equal(server.questions.length, 4);
  dns.close();
  await server.close();
});

test('a TTL of 0 does not mean a query for each connection', async () => {
  const server = await startDnsServer({ 'a.test': { a: ['127.0.0.1'], aaaa: [], ttl: 0 } });
  const clock = new VirtualClock();
  const dns = createDns({ clock, servers: [server.address] });
  await ask(dns, 'a.test', 'resolver').ended;
  clock.advance(minTtlMs - 1);
  assert.deepEqual(ask(dns, 'a.test', 'resolver').addresses, [['127.0.0.1']]);
  dns.close();
  await server.close();
});

test('a name without addresses, or one that does not exist, has failed', async () => {
  const server = await startDnsServer({ 'empty.test': { a: [], aaaa: [] } });
  const dns = createDns({ clock: new VirtualClock(), servers: [server.address] });
  const empty = ask(dns, 'empty.test', 'resolver');
  const missing = ask(dns, 'missing.test', 'resolver');
  await Promise.all([empty.ended, missing.ended]);
  assert.equal(errorCode(empty.error), 'ENODATA');
  assert.equal(errorCode(missing.error), 'ENOTFOUND');
  dns.close();
  await server.close();
});

test('IPv4 waits 50 ms for a slow IPv6 answer, and not longer', async () => {
  const server = await startDnsServer({ 'a.test': { a: ['127.0.0.1'] } });
  const clock = new VirtualClock();
  const dns = createDns({ clock, servers: [server.address] });
  const told = ask(dns, 'a.test', 'resolver');
  while (clock.pending === 0) await new Promise((done) => setImmediate(done));
  clock.advance(resolutionDelayMs - 1);
  assert.deepEqual(told.addresses, []);
  clock.advance(1);
  assert.deepEqual(told.addresses, [['127.0.0.1']]);
  assert.equal(told.last, false);
  assert.deepEqual(
    ask(dns, 'a.test', 'resolver').addresses,
    [['127.0.0.1']],
    'who asks now need not wait again',
  );
  told.query.cancel();
  dns.close();
  assert.equal(clock.pending, 0);
  await server.close();
});

test('a query that nobody waits for is cancelled', async () => {
  const server = await startDnsServer({ 'a.test': {} });
  const clock = new VirtualClock();
  const dns = createDns({ clock, servers: [server.address] });
  const told = ask(dns, 'a.test', 'resolver');
  told.query.cancel();
  server.zone['a.test'] = { a: ['127.0.0.2'], aaaa: [] };
  const again = ask(dns, 'a.test', 'resolver');
  await again.ended;
  assert.deepEqual(again.addresses, [['127.0.0.2']]);
  assert.deepEqual(told.addresses, []);
  dns.close();
  await server.close();
});

test('no query, socket or timer is left', async () => {
  // A closed handle is still reported until the event loop has called its closing callback.
  for (let turn = 0; turn < 3; turn++) await new Promise((done) => setImmediate(done));
  const left = process.getActiveResourcesInfo().filter((what) => /UDP|QUERY|Timeout/i.test(what));
  assert.deepEqual(left, []);
});
