import net from 'node:net';
import { type NativeHandle, nativeParts } from './native-transport.ts';

/** `native`: reused read buffers. `portable`: plain Node streams, slower, but public interfaces only. */
export type TransportKind = 'native' | 'portable';

/** The fastest kind that this Node can do. Opens nothing: the probe is given up before it connects. */
export function detectTransportKind(): TransportKind {
  const server = net.createServer() as unknown as { _connections?: number };
  const probe = new net.Socket({ onread: { buffer: Buffer.alloc(1), callback: () => true } });
  probe.on('error', () => {});
  try {
    probe.connect({ host: '127.0.0.1', port: 1 });
    return hasNativeParts(probe) && typeof server._connections === 'number' ? 'native' : 'portable';
  } catch {
    return 'portable';
  } finally {
    probe.destroy();
  }
}

/** Whether the private properties that the native transport uses are there and of the right kind. */
export function hasNativeParts(socket: net.Socket): boolean {
  const parts = nativeParts(socket);
  if (!('_handle' in parts) || !('_server' in parts) || !('server' in parts)) return false;
  return isNativeHandle(parts._handle);
}

function isNativeHandle(handle: NativeHandle | null | undefined): boolean {
  return (
    handle !== null &&
    handle !== undefined &&
    typeof handle.readStart === 'function' &&
    typeof handle.readStop === 'function' &&
    typeof handle.bytesWritten === 'number' &&
    typeof handle.writeQueueSize === 'number' &&
    typeof handle.writeBuffer === 'function'
  );
}

/**
 * Whether this libuv reads a RST that came together with data as if it were FIN: before 1.52 it
 * took any hang-up after a short read for the end of the stream (libuv pull request 4997). A
 * truncation would look like success (L19), so transports then look twice.
 */
export function hangUpLooksLikeEnd(libuvVersion: string): boolean {
  const [major = 0, minor = 0] = libuvVersion.split('.').map(Number);
  return major < 1 || (major === 1 && minor < 52);
}
