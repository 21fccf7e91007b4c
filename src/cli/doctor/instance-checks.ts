import { errorCode, errorMessage } from '../../base/errors.ts';
import { packageVersion } from '../../base/package-version.ts';
import type { CertificateStatus } from '../../certificates/certificate-source.ts';
import { durationWords, grouped } from '../../connection/story/words.ts';
import type { Instance } from '../../smart-proxy/instance.ts';
import type { Statistics } from '../../smart-proxy/statistics.ts';
import type { AdminClient } from '../admin-client.ts';
import { type Finding, note, ok, problem, warning } from './finding.ts';

/** What a running instance tells. */
export interface InstanceReport {
  readonly status: string;
  readonly instance: Instance;
  readonly statistics: Statistics;
  readonly certificates: readonly CertificateStatus[];
}

/** What arrives waits that long before anybody looks at it. */
const lateLoopMs = 50;
/** A renewal that has not happened by then will hardly happen by itself. */
const nearExpiryMs = 7 * 86_400_000;

/** Rejects where nobody answers. */
export async function askInstance(client: AdminClient): Promise<InstanceReport> {
  const [ready, instance, statistics, { certificates }] = await Promise.all([
    client.get('/ready') as Promise<{ status: string }>,
    client.get('/api/v1/instance') as Promise<Instance>,
    client.get('/api/v1/statistics') as Promise<Statistics>,
    client.get('/api/v1/certificates') as Promise<{ certificates: CertificateStatus[] }>,
  ]);
  return { status: ready.status, instance, statistics, certificates };
}

/** @param named whether somebody said where it is: then it ought to be there */
export function instanceAway(error: unknown, place: string, named: boolean): Finding {
  if (errorCode(error) === 'token-required')
    return problem('instance', `${place} asks for a token`, 'export SMARTPROXY_ADMIN_TOKEN=…');
  if (named) return problem('instance', errorMessage(error), 'is it running, and is that where it listens?');
  return note('instance', `no instance answers at ${place}`);
}

export function checkInstance(
  { status, instance, statistics, certificates }: InstanceReport,
  now: number,
): Finding[] {
  return [
    checkState(status, instance),
    ...checkVersion(instance),
    checkBooks(statistics),
    ...checkBugs(statistics),
    checkLoop(statistics),
    ...checkDescriptors(statistics),
    ...checkTargets(statistics),
    ...certificates.flatMap((certificate) => checkCertificate(certificate, now)),
  ];
}

function checkState(status: string, { pid, startedAt }: Instance): Finding {
  const since = startedAt === null ? '' : `, since ${startedAt}`;
  if (status === 'ok') return ok('instance', `an instance is ready (pid ${pid}${since})`);
  return warning('instance', `an instance is ${status} (pid ${pid}${since})`, 'smartproxy status');
}

function checkVersion({ version }: Instance): Finding[] {
  const own = packageVersion();
  if (version === own) return [];
  return [
    warning('version', `the instance is version ${version}, this command ${own}`, 'restart the instance'),
  ];
}

function checkBooks({ audit }: Statistics): Finding {
  const message = `${audit.records} records, ${audit.sockets} sockets`;
  if (audit.consistent) return ok('audit', `the books agree: ${message}`);
  return problem(
    'audit',
    `the books do not agree: ${message}`,
    'this is a bug: report it with doctor --bundle',
  );
}

function checkBugs({ terminations }: Statistics): Finding[] {
  return (['internal-error', 'orphaned'] as const).flatMap((reason) => {
    const count = terminations[reason] ?? 0;
    if (count === 0) return [];
    const message = `${count} ${count === 1 ? 'connection' : 'connections'} ended as ${reason}`;
    return [problem('bugs', message, 'this is a bug: report it with doctor --bundle')];
  });
}

function checkLoop({ eventLoopDelay }: Statistics): Finding {
  const { p99Ms, maxMs } = eventLoopDelay;
  const message = `the event loop was late by ${p99Ms} ms (99 %), ${maxMs} ms at most, in the last minute`;
  if (p99Ms < lateLoopMs) return ok('event-loop', message);
  return warning(
    'event-loop',
    message,
    'a handler or a target function computes too long, or one core is too little',
  );
}

function checkDescriptors({ refusals, terminations }: Statistics): Finding[] {
  const count = (refusals['resource-exhausted'] ?? 0) + (terminations['resource-exhausted'] ?? 0);
  if (count === 0) return [];
  const advice = 'allow more open files (LimitNOFILE=), or lower maxConnections';
  return [warning('resources', `${grouped(count)} connections found no descriptor, port or memory`, advice)];
}

const targetFailures = [
  'connect-refused',
  'connect-unreachable',
  'connect-timeout',
  'dns-failed',
  'target-timed-out',
] as const;

function checkTargets({ terminations, connections }: Statistics): Finding[] {
  const failed = targetFailures.reduce((sum, reason) => sum + (terminations[reason] ?? 0), 0);
  if (failed === 0) return [];
  const message = `${grouped(failed)} of ${grouped(connections.terminated)} connections did not reach their target`;
  return [note('targets', message, `smartproxy tail --reason ${targetFailures.join(',')}`)];
}

function checkCertificate(
  { names, validTo, problem: wrong, source }: CertificateStatus,
  now: number,
): Finding[] {
  const name = names.join(', ');
  if (wrong !== null) {
    const told = source === 'auto' ? 'when it is tried again' : 'which one serves meanwhile';
    return [problem('certificates', `${name}: ${wrong}`, `smartproxy certificates tells ${told}`)];
  }
  if (validTo === null) return [];
  const leftMs = Date.parse(validTo) - now;
  const message = `the certificate for ${name} (${source}) is valid for ${durationWords(Math.max(0, leftMs))}`;
  if (leftMs < 0)
    return [problem('certificates', `the certificate for ${name} (${source}) has expired`, 'renew it')];
  return [leftMs < nearExpiryMs ? warning('certificates', message, 'renew it') : ok('certificates', message)];
}
