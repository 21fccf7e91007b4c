import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SmartProxyError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { Certificate } from '../../src/certificates/certificate.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import {
  LocalCertificates,
  type LocalCertificatesOptions,
} from '../../src/certificates/local-certificates.ts';
import { eventually } from '../support/eventually.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const dayMs = 86_400_000;

interface Rig {
  clock: VirtualClock;
  certificates: LocalCertificates;
  /** How often the authority was asked for. */
  opened: () => number;
}

async function rig(options: Partial<LocalCertificatesOptions> = {}): Promise<Rig> {
  const clock = new VirtualClock();
  const authority = await LocalAuthority.create({ clock, name: 'Test authority' });
  let opened = 0;
  const certificates = new LocalCertificates({
    clock,
    log: silentLogger,
    authority: async () => {
      opened++;
      return authority;
    },
    ...options,
  });
  return { clock, certificates, opened: () => opened };
}

function issued(answer: Certificate | SmartProxyError): Certificate {
  if (answer instanceof SmartProxyError) throw answer;
  return answer;
}

function refused(answer: unknown): string {
  assert.ok(answer instanceof SmartProxyError);
  return answer.code;
}

test('all who ask for a name at once get one certificate, and later ones get it at once', async () => {
  const { certificates, opened } = await rig();
  const answers = await Promise.all(Array.from({ length: 50 }, () => certificates.certificateFor('a.test')));
  assert.equal(new Set(answers).size, 1);
  const [first] = answers;
  assert.deepEqual(issued(first!).names, ['a.test']);
  assert.equal(certificates.certificateFor('a.test'), first);
  assert.notEqual(await certificates.certificateFor('b.test'), first);
  assert.equal(opened(), 1);
});

test('a certificate is replaced when a third of its life is left, and serves until then', async () => {
  const { clock, certificates } = await rig();
  const first = issued(await certificates.certificateFor('a.test'));
  clock.advance(59 * dayMs);
  assert.equal(certificates.certificateFor('a.test'), first);
  clock.advance(1.5 * dayMs);
  assert.equal(certificates.certificateFor('a.test'), first, 'the old one serves while the new one is made');
  await eventually('it was replaced', () => certificates.certificateFor('a.test') !== first);
  const second = certificates.certificateFor('a.test') as Certificate;
  assert.equal(second.validToMs, clock.wallTime() + 90 * dayMs);
});

test('an expired certificate is not shown', async () => {
  const { clock, certificates } = await rig();
  const first = issued(await certificates.certificateFor('a.test'));
  clock.advance(90 * dayMs);
  const second = issued(await certificates.certificateFor('a.test'));
  assert.ok(second.validToMs > first.validToMs);
});

test('an expired authority is a failure that says so, and the clock going on changes nothing', async () => {
  const { clock, certificates } = await rig();
  clock.advance(3650 * dayMs);
  assert.equal(refused(await certificates.certificateFor('a.test')), 'local-authority-expired');
});

test('names that no certificate can say are refused', async () => {
  const { certificates } = await rig();
  for (const name of [
    '',
    '*',
    '*.a.test',
    'A.test',
    'a.test.',
    'a\0b',
    'a b',
    'ä.test',
    `${'a'.repeat(64)}.test`,
  ]) {
    assert.equal(refused(certificates.certificateFor(name)), 'certificate-refused', name);
  }
  for (const name of ['localhost', '127.0.0.1', '::1', 'xn--4ca.test', 'under_score.test']) {
    assert.deepEqual(issued(await certificates.certificateFor(name)).names, [name]);
  }
});

test('memory is bounded: the longest unused certificate makes room', async () => {
  const { certificates } = await rig({ maxCertificates: 2 });
  const first = await certificates.certificateFor('a.test');
  await certificates.certificateFor('b.test');
  assert.equal(certificates.certificateFor('a.test'), first);
  await certificates.certificateFor('c.test');
  assert.deepEqual(
    certificates.list().map(({ names }) => names[0]),
    ['a.test', 'c.test'],
  );
});

test('more names than may be issued at one time are refused for now', async () => {
  const { certificates } = await rig({ maxPending: 2 });
  const pending = ['a.test', 'b.test'].map((name) => certificates.certificateFor(name));
  const third = certificates.certificateFor('c.test');
  assert.equal(refused(third), 'certificate-busy');
  assert.ok((third as SmartProxyError).retryable);
  assert.equal(certificates.certificateFor('a.test'), pending[0], 'those that are pending are shared');
  await Promise.all(pending);
  assert.deepEqual(issued(await certificates.certificateFor('c.test')).names, ['c.test']);
});

test('an authority that cannot be opened is a failure each time, until it can be', async () => {
  const log = new RecordingLog();
  const clock = new VirtualClock();
  const authority = await LocalAuthority.create({ clock, name: 'Late' });
  let broken = true;
  const certificates = new LocalCertificates({
    clock,
    log,
    authority: async () => {
      if (broken) throw new SmartProxyError('local-authority-unusable', 'no disk', { source: 'config' });
      return authority;
    },
  });
  await assert.rejects(certificates.prepare(), { code: 'local-authority-unusable' });
  assert.equal(refused(await certificates.certificateFor('a.test')), 'local-authority-unusable');
  assert.equal(refused(await certificates.certificateFor('b.test')), 'local-authority-unusable');
  assert.deepEqual(log.events(), ['certificate-failed'], 'told once');
  broken = false;
  assert.deepEqual(issued(await certificates.certificateFor('a.test')).issuer, 'CN=Late');
});
