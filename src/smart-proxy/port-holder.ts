import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** `nginx (pid 123)`: who listens on a TCP port, where /proc tells; undefined elsewhere, or if it is another user's. */
export function portHolder(port: number): string | undefined {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listeningInodes(file, port)));
  if (inodes.size === 0) return undefined;
  const pid = entries('/proc').find((name) => /^\d+$/.test(name) && holdsAny(name, inodes));
  return pid === undefined ? undefined : `${programOf(pid)} (pid ${pid})`;
}

/** Node calls its first thread MainThread, or node-MainThread since 26, and so its process: the command line says more. */
function programOf(pid: string): string {
  const name = read(`/proc/${pid}/comm`).trim();
  if (!name.endsWith('MainThread')) return name;
  const [program = name, script = ''] = read(`/proc/${pid}/cmdline`).split('\0');
  return `${basename(program)} ${basename(script)}`.trim();
}

/** See proc_net_tcp in the kernel's documentation: local address, state (0A: listening) and inode. */
function listeningInodes(file: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return read(file)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) && fields[3] === '0A')
    .map((fields) => fields[9] ?? '');
}

function holdsAny(pid: string, inodes: ReadonlySet<string>): boolean {
  return entries(`/proc/${pid}/fd`).some((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1];
    return inode !== undefined && inodes.has(inode);
  });
}

// Processes and descriptors come and go while they are looked at, and others' are not ours to see.

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
