import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { MachineNetworks } from './compile-ruleset.ts';

/** What this machine's interfaces and settings are at the moment. */
export function machineNetworks(): MachineNetworks {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const networks = addresses.filter(({ internal }) => !internal).map(({ cidr }) => cidr);
  return {
    networks: networks.filter((cidr) => cidr !== null),
    routesLoopback: readSysctl('net.ipv4.conf.all.route_localnet') === '1',
  };
}

/** A setting of the kernel, as `sysctl` calls it; undefined where there is none. */
export function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(sysctlFile(name), 'utf8').trim();
  } catch {
    return undefined;
  }
}

export function sysctlFile(name: string): string {
  return `/proc/sys/${name.replaceAll('.', '/')}`;
}
