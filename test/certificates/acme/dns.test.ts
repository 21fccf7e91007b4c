import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { dnsHook } from '../../../src/certificates/acme/challenges/dns-hook.ts';
import { untilVisible } from '../../../src/certificates/acme/challenges/dns-visibility.ts';
import { hasPrograms } from '../../support/debian.ts';
import { eventually } from '../../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { Pebble } from '../../support/pebble.ts';
import { RecordingLog } from '../../support/recording-log.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { freePort, Workspace } from '../../support/workspace.ts';
import { curl, failed, issued, ordering, site, startProxy } from './stage.ts';

const before = holdings();
const never = new AbortController().signal;

test('a command may have words of its own, and gets what to do, the name and the value', async (t) => {
  const workspace = Workspace.of(t, 'dns');
  const file = workspace.path('called');
  const hook = workspace.write('hook.sh', '#!/bin/sh\nprintf "%s|" "$@" >> "$OUT"\n', 0o755);
  const { present, remove } = dnsHook(
    { command: `OUT='${file}' ${hook} --zone "a test"` },
    new SkippingClock(),
  );
  await present('_acme-challenge.a.test', 'va$(l)ue');
  await remove('_acme-challenge.a.test', 'va$(l)ue');
  const rest = '_acme-challenge.a.test|va$(l)ue|';
  assert.equal(readFileSync(file, 'utf8'), `--zone|a test|present|${rest}--zone|a test|remove|${rest}`);
});

test('a command that fails, is missing, or hangs has what it said told', async (t) => {
  const workspace = Workspace.of(t, 'dns');
  const clock = new SkippingClock();
  const told = async (command: string, skipMs = 0): Promise<string> => {
    const work = dnsHook({ command }, clock).present('_acme-challenge.a.test', 'v');
    if (skipMs > 0) clock.skip(skipMs);
    return work.then(
      () => 'nothing',
      (error: Error & { code: string }) => `${error.code}: ${error.message}`,
    );
  };
  const start = 'challenge-unavailable: the DNS hook failed setting _acme-challenge.a.test: it';
  assert.equal(await told('echo no such zone >&2; exit 3 #'), `${start} ended with 3: no such zone`);
  assert.match(await told(workspace.path('missing')), /it ended with 127: .*not found/);
  assert.equal(await told('exec sleep 1 #', 120_000), `${start} took over 120 s`);
});

test('functions are bounded too', async () => {
  const clock = new SkippingClock();
  const hook = dnsHook({ present: () => new Promise(() => {}), remove: async () => {} }, clock);
  const waiting = hook.present('_acme-challenge.a.test', 'v');
  clock.skip(120_000);
  await assert.rejects(waiting, { code: 'challenge-unavailable', message: /took over 120 s/ });
});

test('the record is waited for, through an alias, and what never appears is told', async (t) => {
  if (!hasPrograms(t, 'pebble', 'pebble-challtestsrv')) return;
  const workspace = Workspace.of(t, 'dns');
  const pebble = await Pebble.start(workspace);
  const clock = new SkippingClock();
  const options = { clock, log: new RecordingLog(), servers: [`127.0.0.1:${pebble.dnsPort}`] };
  const record = '_acme-challenge.a.example';
  await pebble.dns('set-cname', { host: `${record}.`, target: 'a.elsewhere.example.' });
  let isSeen = false;
  const waiting = untilVisible(record, 'right', options, never).then(() => {
    isSeen = true;
  });
  await pebble.dns('set-txt', { host: 'a.elsewhere.example.', value: 'wrong' });
  await eventually('it is looked for again', () => clock.timers === 1);
  assert.equal(isSeen, false);
  await pebble.dns('set-txt', { host: 'a.elsewhere.example.', value: 'right' });
  clock.skip(2_000);
  await waiting;
  const vain = untilVisible(record, 'never', options, never);
  await eventually('it is looked for again', () => clock.timers === 1);
  clock.skip(180_000);
  await assert.rejects(vain, {
    code: 'challenge-unavailable',
    message: /0 of 1 name servers have the record/,
  });
});

test('where no name server answers, the authority is told after a while all the same', async () => {
  const clock = new SkippingClock();
  const log = new RecordingLog();
  const waiting = untilVisible(
    '_acme-challenge.a.example',
    'v',
    { clock, log, servers: [`127.0.0.1:${await freePort()}`] },
    never,
  );
  await eventually('it is looked for again', () => clock.timers === 1);
  clock.skip(30_000);
  await waiting;
  assert.deepEqual(log.events(), ['dns-record-not-looked-for']);
});

test('a hook that fails is the name’s own trouble, and the record that it may have set is removed', async (t) => {
  if (!hasPrograms(t, 'pebble', 'curl')) return;
  const workspace = Workspace.of(t, 'dns');
  const pebble = await Pebble.start(workspace);
  const url = `http://127.0.0.1:${pebble.dnsManagementPort}`;
  const hook = workspace.write(
    'hook.sh',
    `#!/bin/sh
case "$2" in *bad.example) echo "$1 $2: no such zone" | tee -a "${workspace.path('calls')}" >&2; exit 1;; esac
case "$1" in
present) curl -sf -d "{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" ${url}/set-txt;;
remove) curl -sf -d "{\\"host\\":\\"$2.\\"}" ${url}/clear-txt;;
esac
`,
    0o755,
  );
  const acme = ordering(pebble, { dns: { command: hook }, dnsServers: [`127.0.0.1:${pebble.dnsPort}`] });
  const fixture = await startProxy(workspace, [site('bad.example'), site('good.example')], acme);
  const { code, error } = await failed(fixture, 'bad.example');
  assert.equal(code, 'challenge-unavailable');
  assert.match(String(error), /ended with 1: present _acme-challenge\.bad\.example: no such zone/);
  await issued(fixture, ['good.example']);
  assert.match(readFileSync(workspace.path('calls'), 'utf8'), /^present .*\nremove /);
  assert.equal(
    await curl(workspace, pebble, fixture.portOf('good.example'), 'good.example'),
    'good.example says hello',
  );
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
