import type { Http2Stream } from 'node:http2';
import { errorCodes } from './limits.ts';

/**
 * Ends a stream by RST_STREAM. Node would first end what is written, and send that: END_STREAM
 * before the reset makes a whole message of half a one (H7).
 */
export function resetStream(stream: Http2Stream, code: number): void {
  if (code !== errorCodes.none && !stream.writableEnded) stream._final = saysNothing;
  stream.close(code);
}

function saysNothing(done: () => void): void {
  done();
}
