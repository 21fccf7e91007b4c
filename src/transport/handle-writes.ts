import net from 'node:net';
import { getSystemErrorName } from 'node:util';

/**
 * A write that the kernel has not taken as a whole. Node made it, keeps it until it is over, and
 * then calls `oncomplete` with 0 or the negative number of an error.
 */
export interface PendingWrite {
  oncomplete: (this: PendingWrite, status: number) => void;
  /** Node does not keep the memory that it writes from. */
  bytes: Uint8Array;
  owner: WriteOwner;
}

/** Told once, in a turn of its own, unless the handle is closed before. */
export interface WriteOwner {
  /** 0, or the negative number of an error. */
  wrote(status: number): void;
}

/** What Node's handles of streams have for writing. */
export interface WritableHandle {
  /**
   * Gives the bytes to the kernel, as far as it takes them, and queues the rest. Up to Node 25 the
   * caller brings the request, which is used only where something was queued, and the result is
   * the number of an error or 0; from Node 26 on `null` is passed, and the result is that number
   * or the request.
   */
  writeBuffer(request: object | null, bytes: Uint8Array): number | object;
}

/** What the caller brings up to Node 25. Its id is −1 as long as nothing was queued with it. */
interface Request {
  getAsyncId(): number;
}

type RequestClass = new () => Request;

/**
 * Writes to the handle of a socket past the socket's own Writable, whose buffer, ticks and
 * callbacks are needed only for what the kernel does not take at once: they cost more than the
 * rest of a small write together.
 */
export class HandleWrites {
  /** Null where this Node makes the requests. */
  readonly #Request: RequestClass | null;
  /** Used again and again: nearly always the kernel takes everything. */
  #request: Request | null;

  private constructor(Request: RequestClass | null) {
    this.#Request = Request;
    this.#request = Request === null ? null : new Request();
  }

  /** Null where this Node's handles are written to in another way. */
  static detect(): HandleWrites | null {
    const passed = requestOfNode();
    if (passed === undefined) return null;
    if (passed === null) return new HandleWrites(null);
    const Request = passed.constructor as RequestClass;
    return typeof Request.prototype.getAsyncId === 'function' ? new HandleWrites(Request) : null;
  }

  /**
   * @param owner told where something was queued; no other write may be under way on the handle
   * @returns 0 where the kernel has everything; below 0 the number of an error; 1 where something
   *   was queued: as long the bytes must not change
   */
  write(handle: WritableHandle, bytes: Uint8Array, owner: WriteOwner): number {
    const request = this.#request;
    const result = handle.writeBuffer(request, bytes);
    if (request === null) {
      if (typeof result === 'number') return result;
      return queued(result as PendingWrite, bytes, owner);
    }
    if (result === 0 && request.getAsyncId() < 0) return 0;
    this.#request = new this.#Request!();
    return result === 0 ? queued(request as unknown as PendingWrite, bytes, owner) : (result as number);
  }
}

function queued(write: PendingWrite, bytes: Uint8Array, owner: WriteOwner): 1 {
  write.oncomplete = onComplete;
  write.bytes = bytes;
  write.owner = owner;
  return 1;
}

function onComplete(this: PendingWrite, status: number): void {
  this.owner.wrote(status);
}

/** What Node itself passes to `writeBuffer`; undefined where it does not call that at all. */
function requestOfNode(): object | null | undefined {
  let passed: object | null | undefined;
  const handle = {
    writeBuffer: (request: object | null) => {
      passed = request;
      return 0;
    },
    close() {},
  };
  const socket = new net.Socket({ handle, manualStart: true } as object);
  socket.on('error', () => {});
  socket.write(Buffer.alloc(1));
  socket.destroy();
  return passed;
}

/** As Node's own streams make it. */
export function writeError(status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { errno: status, code, syscall: 'write' });
}
