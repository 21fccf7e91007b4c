import { promises as dns } from 'node:dns';
import type { Clock } from '../../../base/clock.ts';
import { errorCode } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { AcmeError } from '../protocol/acme-error.ts';
import { pause } from '../protocol/pause.ts';

export interface VisibilityOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** `ip` or `ip:port` of the name servers that are asked; null: those of the zone. */
  readonly servers: readonly string[] | null;
}

/** Secondary name servers of slow services need minutes. */
const visibleWithinMs = 180_000;
/** Where nobody can be asked, the authority is left to judge after this. */
const blindMs = 30_000;
const lookEveryMs = 2_000;
const queryMs = 3_000;
const maxAliases = 8;

/** What a server said of a record. */
type Look = 'there' | 'missing' | 'silent';

/**
 * Waits until every name server of the zone has the TXT record, following aliases (RFC 8555 §8.4 lets
 * `_acme-challenge` be a CNAME). Rejects with `challenge-unavailable` where it does not appear.
 */
export async function untilVisible(
  record: string,
  value: string,
  { clock, log, servers }: VisibilityOptions,
  signal: AbortSignal,
): Promise<void> {
  const beganAt = clock.now();
  let answered = false;
  for (;;) {
    const looks = await lookEverywhere(record, value, servers);
    if (looks.length > 0 && looks.every((look) => look === 'there')) return;
    answered ||= looks.some((look) => look !== 'silent');
    const waitedMs = clock.now() - beganAt;
    if (!answered && waitedMs >= blindMs) {
      log.warn('dns-record-not-looked-for', { record, why: 'no name server could be asked' });
      return;
    }
    if (waitedMs >= visibleWithinMs) throw notVisible(record, looks);
    await pause(clock, lookEveryMs, signal);
  }
}

function notVisible(record: string, looks: readonly Look[]): AcmeError {
  const there = looks.filter((look) => look === 'there').length;
  return new AcmeError(
    'challenge-unavailable',
    `the DNS hook has run, but after ${visibleWithinMs / 1000} s ${there} of ${looks.length} name servers have the record ${record}`,
  );
}

async function lookEverywhere(
  record: string,
  value: string,
  servers: readonly string[] | null,
): Promise<Look[]> {
  const target = await followAliases(record, servers);
  const addresses = servers ?? (await nameServersOf(target));
  return Promise.all(addresses.map((address) => lookAt(address, target, value)));
}

async function lookAt(server: string, record: string, value: string): Promise<Look> {
  try {
    const texts = await resolverFor([server]).resolveTxt(record);
    return texts.some((parts) => parts.join('') === value) ? 'there' : 'missing';
  } catch (error) {
    const code = errorCode(error) ?? '';
    return code === 'ENODATA' || code === 'ENOTFOUND' ? 'missing' : 'silent';
  }
}

async function followAliases(record: string, servers: readonly string[] | null): Promise<string> {
  let name = record;
  for (let hops = 0; hops < maxAliases; hops++) {
    const [alias] = await resolverFor(servers)
      .resolveCname(name)
      .catch(() => []);
    if (alias === undefined || alias === name) return name;
    name = alias;
  }
  return name;
}

/** Addresses of the servers of the zone that a name is in: the longest parent that has some. */
async function nameServersOf(name: string): Promise<string[]> {
  const labels = name.split('.');
  for (let first = 0; first < labels.length - 1; first++) {
    const zone = labels.slice(first).join('.');
    const hosts = await resolverFor(null)
      .resolveNs(zone)
      .catch(() => []);
    if (hosts.length === 0) continue;
    const found = await Promise.all(hosts.map(addressOf));
    return found.filter((address) => address !== null);
  }
  return [];
}

async function addressOf(host: string): Promise<string | null> {
  const [address] = await resolverFor(null)
    .resolve4(host)
    .catch(() => []);
  return address ?? null;
}

function resolverFor(servers: readonly string[] | null): dns.Resolver {
  const resolver = new dns.Resolver({ timeout: queryMs, tries: 2 });
  if (servers !== null) resolver.setServers(servers);
  return resolver;
}
