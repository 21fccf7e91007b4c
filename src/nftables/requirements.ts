import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { isLoopback } from '../base/address.ts';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type Family, familyOf, type KernelRoute, servesFamily } from '../config/kernel-route.ts';
import { readSysctl, sysctlFile } from './machine-networks.ts';
import { findProgram } from './run-program.ts';

/** A setting of the kernel that has to be 1. */
interface Setting {
  readonly name: string;
  readonly route: KernelRoute;
  readonly why: string;
}

/** The programs, and a kernel that has all this. Throws SmartProxyError that says what to install. */
export function checkPrograms(): void {
  if (process.platform !== 'linux') {
    throw new SmartProxyError(
      'nftables-not-available',
      "engine 'nftables' needs Linux: write engine: 'node'",
      {
        source: 'config',
      },
    );
  }
  findProgram('nft');
  findProgram('conntrack');
}

/**
 * Whether the kernel forwards what the routes want forwarded. With `manage` it is made to, and that is
 * said. Throws SmartProxyError `nftables-forwarding-off` that says which commands to run.
 */
export function checkForwarding(routes: readonly KernelRoute[], manage: boolean, log: Logger): void {
  const missing = neededSettings(routes).filter(({ name }) => readSysctl(name) !== '1');
  if (manage) {
    for (const { name } of missing) setSysctl(name, log);
    return;
  }
  if (missing.length === 0) return;
  const reasons = missing.map(({ route, why }) => `route '${route.name}' ${why}`).join('; ');
  const commands = missing.map(({ name }) => `sysctl -w ${name}=1`).join(' && ');
  throw new SmartProxyError(
    'nftables-forwarding-off',
    `the kernel does not forward: ${reasons} (run: ${commands}; or write nftables: { manageSysctls: true })`,
    { source: 'config' },
  );
}

function neededSettings(routes: readonly KernelRoute[]): Setting[] {
  const own = ownAddresses();
  const settings: Setting[] = [];
  const need = (name: string, why: string, wants: (route: KernelRoute) => boolean): void => {
    const route = routes.find(wants);
    if (route !== undefined) settings.push({ name, route, why });
  };
  const leaves = (route: KernelRoute, family: Family): boolean =>
    !isLocalOnly(route) && hasTarget(route, family, (host) => !isLoopback(host) && !own.has(host));
  need('net.ipv4.ip_forward', 'has a target on another machine', (route) => leaves(route, 4));
  need('net.ipv6.conf.all.forwarding', 'has an IPv6 target on another machine', (route) => leaves(route, 6));
  need(
    'net.ipv4.conf.all.route_localnet',
    'listens on the loopback and has a target elsewhere',
    (route) => isLocalOnly(route) && hasTarget(route, 4, (host) => !isLoopback(host)),
  );
  return settings;
}

function hasTarget(route: KernelRoute, family: Family, test: (host: string) => boolean): boolean {
  if (!servesFamily(route, family)) return false;
  return route.action.targets.some(({ host }) => familyOf(host) === family && test(String(host)));
}

/** Only programs of this machine reach it. */
function isLocalOnly({ match }: KernelRoute): boolean {
  return match.address !== null && isLoopback(match.address);
}

function ownAddresses(): Set<string> {
  return new Set(
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
  );
}

/** Routes that only programs of this machine can use, though they do not say so. */
export function routesForThisMachineOnly(
  routes: readonly KernelRoute[],
  routesLoopback: boolean,
): KernelRoute[] {
  return routes.filter(
    (route) =>
      !isLocalOnly(route) &&
      route.action.targets.some(
        ({ host }) => isLoopback(String(host)) && (familyOf(host) === 6 || !routesLoopback),
      ),
  );
}

/** Counts bytes and packets of flows from now on, and notes their beginnings. Says so where it was off. */
export function switchAccountingOn(log: Logger): void {
  const accounting = 'net.netfilter.nf_conntrack_acct';
  if (readSysctl(accounting) !== '1') setSysctl(accounting, log);
  const beginnings = 'net.netfilter.nf_conntrack_timestamp';
  if (readSysctl(beginnings) === '0') setSysctl(beginnings, log);
}

function setSysctl(name: string, log: Logger): void {
  try {
    writeFileSync(sysctlFile(name), '1');
  } catch (error) {
    throw new SmartProxyError(
      'nftables-sysctl-not-set',
      `${name} cannot be set to 1: ${errorMessage(error)} (run: sysctl -w ${name}=1; for a container: docker run --sysctl ${name}=1)`,
      { source: 'config', cause: error },
    );
  }
  log.info('sysctl-set', { name, value: '1', message: 'it stays so when SmartProxy ends' });
}
