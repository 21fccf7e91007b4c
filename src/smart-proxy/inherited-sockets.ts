import { readFileSync, readlinkSync } from 'node:fs';
import { normalizeAddress } from '../base/address.ts';
import type { ListenerSpec } from '../routing/listener-plan.ts';

/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const firstDescriptor = 3;

interface InheritedSocket {
  readonly fd: number;
  readonly address: string;
  readonly port: number;
}

/**
 * Listening sockets that the service manager opened for us (`LISTEN_FDS`, `LISTEN_PID`). A
 * listener takes the one with its port and, where it names one, its address; what nobody asks for
 * stays unused. systemd means Linux, so /proc tells what each descriptor is bound to.
 */
export class InheritedSockets {
  readonly #sockets: InheritedSocket[];

  constructor(sockets: readonly InheritedSocket[] = []) {
    this.#sockets = [...sockets];
  }

  /** Reads the environment; finds nothing where it is meant for another process. */
  static fromEnvironment(environment: NodeJS.ProcessEnv, pid: number): InheritedSockets {
    const count = Number(environment.LISTEN_FDS ?? 0);
    if (environment.LISTEN_PID !== String(pid) || !(count > 0)) return new InheritedSockets();
    const listening = listeningSockets();
    const sockets: InheritedSocket[] = [];
    for (let fd = firstDescriptor; fd < firstDescriptor + count; fd++) {
      const bound = listening.get(linkOf(fd));
      if (bound !== undefined) sockets.push({ fd, ...bound });
    }
    return new InheritedSockets(sockets);
  }

  /** The descriptor for a listener, once. */
  take(spec: ListenerSpec): number | null {
    const wanted = spec.address ?? '::';
    const index = this.#sockets.findIndex(
      ({ port, address }) =>
        port === spec.port && (address === wanted || (spec.address === null && address === '0.0.0.0')),
    );
    return index === -1 ? null : (this.#sockets.splice(index, 1)[0] as InheritedSocket).fd;
  }
}

/** `socket:[inode]`; empty for a descriptor that is closed, as after a stop and before another start. */
function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

/** What listens in this network namespace, by `socket:[inode]`. */
function listeningSockets(): Map<string, { address: string; port: number }> {
  const found = new Map<string, { address: string; port: number }>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'latin1').split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      if (state === '0A')
        found.set(`socket:[${inode}]`, { address: fromHex(address), port: Number.parseInt(port, 16) });
    }
  }
  return found;
}

/** The kernel prints addresses as 32-bit words in host order, which is little-endian wherever Node runs. */
function fromHex(hex: string): string {
  const bytes = Buffer.from(hex, 'hex').swap32();
  if (bytes.length === 4) return bytes.join('.');
  return normalizeAddress((bytes.toString('hex').match(/.{4}/g) ?? []).join(':')) ?? '::';
}
