import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planCertificates } from '../../../src/certificates/acme/certificate-plan.ts';
import { retryAfterMs } from '../../../src/certificates/acme/protocol/retry-after.ts';
import { renewalTime, retryDelay } from '../../../src/certificates/acme/renewal-schedule.ts';
import type { CertificateRule } from '../../../src/certificates/certificate-source.ts';
import type { ResolvedCertificate } from '../../../src/config/resolved.ts';

const dayMs = 86_400_000;

function rule(
  domains: readonly string[] | null,
  port = 443,
  from: 'auto' | 'default' | 'local' = 'auto',
): CertificateRule {
  const certificate: ResolvedCertificate = { from };
  const tls = { certificate, clientAuth: null, alpn: [], minVersion: 'TLSv1.2' } as const;
  return { route: 'r', domains, ports: [{ from: port, to: port }], tls };
}

function plan(rules: readonly CertificateRule[], acme: Parameters<typeof planCertificates>[1] = {}) {
  const { certificates, onDemand } = planCertificates(rules, acme);
  return {
    certificates: certificates.map(({ names, challenges }) => `${names.join('+')}: ${challenges.join(' ')}`),
    onDemand: onDemand.map(({ pattern, challenges }) => `${pattern}: ${challenges.join(' ')}`),
  };
}

test('each name has a certificate of its own, proved where it surely is ours', () => {
  assert.deepEqual(plan([rule(['a.example', 'b.example']), rule(['b.example', 'c.example'], 8443)]), {
    certificates: [
      'a.example: tls-alpn-01 http-01',
      'b.example: tls-alpn-01 http-01',
      'c.example: http-01 tls-alpn-01',
    ],
    onDemand: [],
  });
  const forced = plan([rule(['a.example'])], { challenge: 'http-01' });
  assert.deepEqual(forced.certificates, ['a.example: http-01']);
});

test('local names, addresses, and what is not said to be ordered are not', () => {
  const rules = [
    rule(['localhost', 'a.test', '127.0.0.1', 'a.example'], 443, 'default'),
    rule(['b.example'], 443, 'local'),
    rule(null, 443, 'default'),
  ];
  assert.deepEqual(plan(rules), { certificates: ['a.example: tls-alpn-01 http-01'], onDemand: [] });
});

test('a wildcard is for its parent too, and for the names that it covers', () => {
  const dns = { command: 'hook' };
  const rules = [
    rule(['a.example', 'x.a.example', '*.a.example', 'y.x.a.example', '*.b.a.example', 'b.a.example']),
  ];
  assert.deepEqual(plan(rules, { dns }).certificates, [
    '*.a.example+a.example: dns-01',
    'y.x.a.example: dns-01',
    '*.b.a.example: dns-01',
  ]);
});

test('what only a pattern covers is ordered on demand where somebody is asked', () => {
  const rules = [rule(['*.a.example', 'b.example'], 8443), rule(null)];
  const ask = () => true;
  assert.deepEqual(plan(rules, { ask }), {
    certificates: ['b.example: http-01 tls-alpn-01'],
    onDemand: ['*.a.example: http-01 tls-alpn-01', '*: tls-alpn-01 http-01'],
  });
  assert.deepEqual(plan(rules, { ask, dns: { command: 'hook' } }).certificates, [
    '*.a.example: dns-01',
    'b.example: dns-01',
  ]);
});

const certificate = { validFromMs: 0, validToMs: 90 * dayMs };
const byAge = { renewBeforeMs: null, window: null };

test('a certificate is renewed when a third of its life is left, or a little earlier', () => {
  assert.equal(renewalTime(certificate, 0, byAge, 0), 60 * dayMs);
  assert.equal(renewalTime(certificate, 0, byAge, 1), 54 * dayMs);
  const short = { validFromMs: 0, validToMs: 6 * dayMs };
  assert.equal(renewalTime(short, 0, byAge, 0), 4 * dayMs);
});

test('the life counts from when it came, so that a wrong clock does not renew for ever', () => {
  const cameLate = 60 * dayMs;
  assert.equal(renewalTime(certificate, cameLate, byAge, 0), 80 * dayMs);
});

test('days before the end are believed up to half of the life', () => {
  assert.equal(renewalTime(certificate, 0, { renewBeforeMs: 10 * dayMs, window: null }, 0), 80 * dayMs);
  assert.equal(renewalTime(certificate, 0, { renewBeforeMs: 365 * dayMs, window: null }, 0), 45 * dayMs);
});

test('a suggested window decides, unless it is senseless or too late', () => {
  const window = (startDay: number, endDay: number) => ({
    ...{ renewBeforeMs: null },
    window: { startMs: startDay * dayMs, endMs: endDay * dayMs, explanation: null },
  });
  assert.equal(renewalTime(certificate, 0, window(70, 72), 0.5), 71 * dayMs);
  assert.equal(renewalTime(certificate, 0, window(-2, -1), 0.5), -1.5 * dayMs);
  assert.equal(renewalTime(certificate, 0, window(89, 89.9), 1), 85.5 * dayMs);
  assert.equal(renewalTime(certificate, 0, window(100, 110), 0), 60 * dayMs);
  const configured = { ...window(85, 86), renewBeforeMs: 10 * dayMs };
  assert.equal(renewalTime(certificate, 0, configured, 0), 80 * dayMs);
});

test('pauses double up to six hours, and are never shorter than the authority wants', () => {
  const minutes = [1, 2, 3, 9, 10, 50, 5000].map((failures) => retryDelay(failures, null, 0.5) / 60_000);
  assert.deepEqual(minutes, [1, 2, 4, 256, 360, 360, 360]);
  assert.equal(retryDelay(1, null, 0), 48_000);
  assert.equal(retryDelay(1, 3_600_000, 0), 3_600_000);
  assert.equal(retryDelay(1, 3_600_000, 0.5), 3_780_000);
});

test('Retry-After is seconds or a date, and nothing else is believed', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const read = (text: string | undefined) => retryAfterMs(text, now);
  assert.equal(read('120'), 120_000);
  assert.equal(read('Thu, 01 Jan 2026 00:01:00 GMT'), 60_000);
  assert.equal(read('Wed, 31 Dec 2025 00:00:00 GMT'), 0);
  assert.equal(read('999999999'), dayMs);
  assert.deepEqual(['soon', '', '-5', undefined].map(read), [null, null, null, null]);
});
