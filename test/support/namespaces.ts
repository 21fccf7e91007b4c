/**
 * Four hosts on one machine: a client, a proxy between, and two backends, each a network namespace of its
 * own with real interfaces, IPv4 and IPv6.
 *
 *     client 10.71.0.2, fd71::2 ── proxy 10.71.0.1, fd71::1
 *                                  proxy 10.71.1.1, fd71:1::1 ── backend 0: 10.71.1.2, fd71:1::2
 *                                  proxy 10.71.2.1, fd71:2::1 ── backend 1: 10.71.2.2, fd71:2::2
 */
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { hasPrograms, needsRoot, programPath } from './debian.ts';
import type { Workspace } from './workspace.ts';

let made = 0;

export class Namespaces {
  readonly client: string;
  readonly proxy: string;
  readonly backends: readonly [string, string];

  private constructor() {
    const prefix = `nft-${process.pid}-${++made}`;
    this.client = `${prefix}-client`;
    this.proxy = `${prefix}-proxy`;
    this.backends = [`${prefix}-backend-0`, `${prefix}-backend-1`];
  }

  /** Undefined, and the test is skipped, where it cannot be done. They end with the workspace. */
  static of(context: TestContext, workspace: Workspace): Namespaces | undefined {
    if (!needsRoot(context) || !hasPrograms(context, 'ip', 'nft', 'conntrack')) return undefined;
    return Namespaces.make(workspace);
  }

  static make(workspace: Workspace): Namespaces {
    const namespaces = new Namespaces();
    workspace.onEnd(() => namespaces.#delete());
    namespaces.#create();
    return namespaces;
  }

  get all(): string[] {
    return [this.client, this.proxy, ...this.backends];
  }

  #create(): void {
    ip(
      [],
      this.all.map((name) => `netns add ${name}`),
    );
    for (const name of this.all) ip(['-n', name], ['link set lo up']);
    this.#link(0, this.client);
    this.#link(1, this.backends[0]);
    this.#link(2, this.backends[1]);
  }

  /** One cable between the proxy and a host, which sends through it whatever is not its neighbour's. */
  #link(network: number, host: string): void {
    const [v4, v6] = [`10.71.${network}`, network === 0 ? 'fd71' : `fd71:${network}`];
    ip([], [`link add net${network} netns ${this.proxy} type veth peer name net0 netns ${host}`]);
    ip(
      ['-n', this.proxy],
      [
        `address add ${v4}.1/24 dev net${network}`,
        `address add ${v6}::1/64 dev net${network} nodad`,
        `link set net${network} up`,
      ],
    );
    ip(
      ['-n', host],
      [
        `address add ${v4}.2/24 dev net0`,
        `address add ${v6}::2/64 dev net0 nodad`,
        'link set net0 up',
        `route add default via ${v4}.1`,
        `route add default via ${v6}::1`,
      ],
    );
  }

  /** The words that make a command run on a host. */
  on(host: string): [string, ...string[]] {
    return [programPath('ip'), 'netns', 'exec', host];
  }

  /** Runs a command on a host to its end, and returns what it printed. Fails where its exit code is not 0. */
  run(host: string, command: string, ...args: string[]): string {
    const { status, stdout, stderr } = this.try(host, command, ...args);
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} on ${host}: ${stderr}`);
    return stdout;
  }

  /** As `run`, whatever the exit code is. */
  try(host: string, command: string, ...args: string[]) {
    const [program, ...before] = this.on(host);
    return spawnSync(program, [...before, command, ...args], { encoding: 'utf8' });
  }

  /** The proxy's kernel forwards, as a router's does. */
  forward(): void {
    this.setSysctl('net.ipv4.ip_forward', '1');
    this.setSysctl('net.ipv6.conf.all.forwarding', '1');
  }

  setSysctl(name: string, value: string): void {
    this.run(this.proxy, 'sh', '-c', `echo ${value} > /proc/sys/${name.replaceAll('.', '/')}`);
  }

  /** The processes on a host. */
  processes(host: string): number[] {
    const { stdout } = spawnSync(programPath('ip'), ['netns', 'pids', host], { encoding: 'utf8' });
    return stdout
      .split('\n')
      .filter((pid) => pid !== '')
      .map(Number);
  }

  /** The tables of nftables on the proxy host. */
  tables(): string[] {
    return this.run(this.proxy, programPath('nft'), 'list', 'tables')
      .split('\n')
      .filter((line) => line !== '');
  }

  #delete(): void {
    for (const name of this.all) spawnSync(programPath('ip'), ['netns', 'delete', name]);
  }
}

/** Many commands of `ip` in one process. */
function ip(options: readonly string[], commands: readonly string[]): void {
  const { status, stderr } = spawnSync(programPath('ip'), [...options, '-batch', '-'], {
    input: commands.map((command) => `${command}\n`).join(''),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ip ${commands.join('; ')}: ${stderr}`);
}
