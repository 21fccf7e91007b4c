import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { grouped } from '../../connection/story/words.ts';
import { newestTestedNode } from '../run.ts';
import { type Finding, note, ok, problem, warning } from './finding.ts';

/** What is asked of the machine, so that a test can answer in its place. */
export interface Machine {
  readonly nodeVersion: string;
  /** Open files allowed to a process. */
  readonly descriptorLimit: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** A value below /proc/sys, by its dotted name; undefined where the kernel has none. */
  sysctl(name: string): string | undefined;
  /** What systemd says of the clock: `yes`, `no`, or undefined where nobody says anything. */
  clockSynchronised(): Promise<string | undefined>;
  /** When this version was installed: no right clock says that it is earlier. */
  readonly installedAt: number;
}

/** What a connection that is forwarded takes. */
const descriptorsPerConnection = 2;
/** With fewer, a busy proxy runs out at once. */
const fewDescriptors = 4_096;

/** Everything that does not depend on a configuration. */
export async function checkMachine(machine: Machine): Promise<Finding[]> {
  return [checkNode(machine), checkDescriptors(machine), await checkClock(machine), ...checkKernel(machine)];
}

function checkNode({ nodeVersion }: Machine): Finding {
  const major = Number.parseInt(nodeVersion, 10);
  if (major <= newestTestedNode) return ok('node', `Node ${nodeVersion}`);
  return note('node', `Node ${nodeVersion} is newer than what was tested (${newestTestedNode})`);
}

function checkDescriptors({ descriptorLimit }: Machine): Finding {
  const message = `${grouped(descriptorLimit)} open files are allowed: about ${grouped(Math.floor((descriptorLimit * 0.8) / descriptorsPerConnection))} connections`;
  if (descriptorLimit >= fewDescriptors) return ok('descriptors', message);
  return warning(
    'descriptors',
    message,
    'raise it: ulimit -n 65536, or LimitNOFILE=65536 in the systemd unit',
  );
}

async function checkClock({ now, installedAt, ...machine }: Machine): Promise<Finding> {
  const shown = new Date(now).toISOString();
  if (now < installedAt) {
    return problem(
      'clock',
      `the clock says ${shown}, which is before this version was installed`,
      'set it: certificates are not valid yet, or are taken for valid when they are not (timedatectl set-ntp true)',
    );
  }
  if ((await machine.clockSynchronised()) === 'no')
    return warning('clock', `${shown}; nobody keeps it right`, 'timedatectl set-ntp true');
  return ok('clock', shown);
}

/** Connections that wait to be accepted, in a burst. */
const fewWaiting = 1_024;
/** Connections to one target at a time, those that have just ended included. */
const fewPorts = 16_000;
/** Of a table of the kernel's. */
const nearlyFull = 0.8;

function checkKernel(machine: Machine): Finding[] {
  return [
    checkBacklog(machine.sysctl('net.core.somaxconn')),
    checkPorts(machine.sysctl('net.ipv4.ip_local_port_range')),
    checkFiles(machine.sysctl('fs.file-nr')),
    checkFlows(
      machine.sysctl('net.netfilter.nf_conntrack_count'),
      machine.sysctl('net.netfilter.nf_conntrack_max'),
    ),
  ].filter((finding) => finding !== null);
}

function checkBacklog(value: string | undefined): Finding | null {
  if (value === undefined) return null;
  const message = `net.core.somaxconn is ${value}: so many connections may wait to be accepted`;
  if (Number(value) >= fewWaiting) return ok('somaxconn', message);
  return warning('somaxconn', `${message}; a burst of more is dropped`, 'sysctl -w net.core.somaxconn=4096');
}

function checkPorts(value: string | undefined): Finding | null {
  const [first, last] = (value ?? '').split(/\s+/).map(Number);
  if (!first || !last) return null;
  const ports = last - first + 1;
  const message = `${grouped(ports)} ports for connections to one target (net.ipv4.ip_local_port_range)`;
  if (ports >= fewPorts) return ok('ports-out', message);
  return warning('ports-out', message, "sysctl -w net.ipv4.ip_local_port_range='10240 65535'");
}

function checkFiles(value: string | undefined): Finding | null {
  const [used, , most] = (value ?? '').split(/\s+/).map(Number);
  if (!used || !most || used / most < nearlyFull) return null;
  const message = `the whole machine has ${grouped(used)} of ${grouped(most)} possible files open`;
  return warning(
    'file-table',
    message,
    'raise fs.file-max, or find who leaks (ls /proc/*/fd | sort | uniq -c)',
  );
}

/** Only where the kernel tracks connections at all. */
function checkFlows(count: string | undefined, most: string | undefined): Finding | null {
  if (count === undefined || most === undefined) return null;
  const message = `the kernel tracks ${grouped(Number(count))} of at most ${grouped(Number(most))} connections`;
  if (Number(count) / Number(most) < nearlyFull) return ok('conntrack', message);
  return warning(
    'conntrack',
    `${message}; beyond that it drops new ones`,
    'raise net.netfilter.nf_conntrack_max',
  );
}

/** The machine that this runs on. */
export function thisMachine(descriptorLimit: number): Machine {
  return {
    nodeVersion: process.versions.node,
    descriptorLimit,
    now: Date.now(),
    installedAt: statSync(new URL('../../../package.json', import.meta.url)).mtimeMs,
    sysctl: readSysctl,
    clockSynchronised,
  };
}

function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

const answerWithinMs = 2_000;

async function clockSynchronised(): Promise<string | undefined> {
  try {
    const args = ['show', '--property=NTPSynchronized', '--value'];
    const { stdout } = await promisify(execFile)('timedatectl', args, { timeout: answerWithinMs });
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}
