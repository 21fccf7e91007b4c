import type { ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';

const endCame = Symbol('END_STREAM came');
type WatchedStream = ClientHttp2Stream & { [endCame]?: true };

/**
 * Node tells the end of a stream that its peer reset without an error as if END_STREAM had come
 * (H7). What is told while the stream is open did come.
 */
export function watchForEndStream(stream: ClientHttp2Stream): void {
  stream.push = watchedPush;
}

export function endStreamCame(stream: ClientHttp2Stream): boolean {
  return (stream as WatchedStream)[endCame] === true;
}

function watchedPush(this: WatchedStream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null && !this.closed) this[endCame] = true;
  return Readable.prototype.push.call(this, chunk, encoding);
}
