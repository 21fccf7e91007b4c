import { readFileSync } from 'node:fs';
import { homedir, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';

/** What resolving a configuration needs to know of the machine and the caller. */
export interface Environment {
  /** Open files allowed to the process. */
  readonly descriptorLimit: number;
  /** Memory that the process may use. */
  readonly memoryBytes: number;
  /** Environment variables. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  /** Where the admin API listens if the configuration does not say; null: nowhere. */
  readonly defaultAdmin: string | null;
}

/** The environment of this process, for a caller without an admin API unless `defaultAdmin` says so. */
export function processEnvironment(defaultAdmin: string | null = null): Environment {
  const constrained = process.constrainedMemory?.() ?? 0;
  return {
    descriptorLimit: readDescriptorLimit(),
    memoryBytes: constrained > 0 ? Math.min(constrained, totalmem()) : totalmem(),
    variables: process.env,
    homeDirectory: homedir(),
    defaultAdmin,
  };
}

/**
 * Where `smartproxy run` listens for its commands, and where they look for it:
 * $XDG_RUNTIME_DIR/smartproxy/admin.sock, for root /run/smartproxy/admin.sock. Where there is no
 * runtime directory, a folder of the user's own under the temporary one.
 */
export function defaultAdminListen(
  variables: Environment['variables'] = process.env,
  userId: number = process.getuid?.() ?? 0,
): string {
  if (userId === 0) return 'unix:/run/smartproxy/admin.sock';
  const runtime = variables.XDG_RUNTIME_DIR;
  const folder = runtime ? join(runtime, 'smartproxy') : join(tmpdir(), `smartproxy-${userId}`);
  return `unix:${join(folder, 'admin.sock')}`;
}

/** The same for the process that has NetworkProxy alone, so that both run beside each other. */
export function defaultNetworkProxyListen(
  variables: Environment['variables'] = process.env,
  userId: number = process.getuid?.() ?? 0,
): string {
  return defaultAdminListen(variables, userId).replace(/admin\.sock$/, 'network-proxy.sock');
}

/** The soft limit, which Node raises to the hard one as it starts. 1,024 where it cannot be told. */
function readDescriptorLimit(): number {
  try {
    const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === 'unlimited' ? 1_048_576 : Number(soft) || 1024;
  } catch {
    return 1024;
  }
}
