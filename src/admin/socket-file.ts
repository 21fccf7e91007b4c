import { chmodSync, lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import { dirname } from 'node:path';
import { errorCode, SmartProxyError } from '../base/errors.ts';

/** Only the user who runs the proxy may call it. */
const socketMode = 0o600;
const folderMode = 0o700;

/**
 * Makes the folder where it is missing (0700) and takes away the socket of a process that has
 * died. Throws `admin-in-use` where somebody answers there, `admin-listen-failed` where something
 * else stands in the way.
 */
export async function prepareSocketFile(path: string): Promise<void> {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: folderMode });
  if (!isTrustworthy(folder)) {
    throw new SmartProxyError(
      'admin-listen-failed',
      `${folder} belongs to another user, who could put another socket there (use a folder of your own: --admin, or admin.listen)`,
      { source: 'config' },
    );
  }
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new SmartProxyError('admin-listen-failed', `${path} exists and is no socket`, { source: 'config' });
  }
  if (await isAlive(path)) {
    throw new SmartProxyError(
      'admin-in-use',
      `another process listens on ${path}: is SmartProxy running already? (another one needs another place: --admin, or admin.listen)`,
      {
        source: 'proxy',
        retryable: true,
      },
    );
  }
  unlinkSync(path);
}

/** A folder under /tmp may have been made by anybody before we came. */
function isTrustworthy(folder: string): boolean {
  const { uid } = statSync(folder);
  return uid === 0 || uid === (process.getuid?.() ?? uid);
}

/** Begins to listen on a file that nobody else may open, not even between its making and `makePrivate`. */
export function listenPrivately(server: net.Server, path: string): void {
  const previous = setUmask(0o177);
  try {
    server.listen(path);
  } finally {
    if (previous !== null) setUmask(previous);
  }
}

/** For where the umask could not be set. */
export function makePrivate(path: string): void {
  chmodSync(path, socketMode);
}

/** Threads may not change it: there `makePrivate` has to do. */
function setUmask(mask: number): number | null {
  try {
    return process.umask(mask);
  } catch {
    return null;
  }
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    const done = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', () => done(true));
    // Not refused but, say, full or forbidden: somebody is there.
    socket.on('error', (error) => done(errorCode(error) !== 'ECONNREFUSED' && errorCode(error) !== 'ENOENT'));
  });
}
