import http2 from 'node:http2';
import { settingIds } from './frames.ts';
import type { FieldLimits } from './hpack/decoder.ts';

/** Requests of one client's connection at once. Browsers open no more than 100. */
export const maxStreamsPerClient = 100;

/** Requests on one session to a backend at once, where the backend allows as many. */
export const maxStreamsPerBackend = 100;

/** What a stream may send before somebody has taken it. */
export const streamWindowBytes = 262_144;

/** The same of a connection: more than a stream's, so that one that nobody takes does not stop the others. */
export const connectionWindowBytes = 4_194_304;

/** Fields of one head; HTTP/1 has the same bound. The pseudo-fields come on top. */
export const maxFields = 256 + 5;

/**
 * A client's head may be so many times larger than what is taken before its stream is reset with
 * ENHANCE_YOUR_CALM: until then it is answered with 431.
 */
const readFurther = 4;

/**
 * Node refuses heads to a session that holds more, and means what waits to be sent too: it must be
 * more than all streams of a session may have waiting.
 */
const sessionMegabytes = 64;

/**
 * What is kept of a client's head.
 *
 * @param headerBytes of a head with its names, as HPACK counts (RFC 7541 §4.1)
 */
export function clientHeadLimits(headerBytes: number): FieldLimits {
  return {
    listBytes: Math.min(readFurther * headerBytes, 2 ** 31 - 1),
    fields: readFurther * maxFields,
  };
}

/** What clients are told when they come. */
export function clientSettings({
  listBytes,
}: FieldLimits): readonly (readonly [id: number, value: number])[] {
  return [
    [settingIds.initialWindowSize, streamWindowBytes],
    [settingIds.maxConcurrentStreams, maxStreamsPerClient],
    [settingIds.maxHeaderListSize, listBytes],
    [settingIds.enableConnectProtocol, 1],
  ];
}

/** Options of a session to a backend. */
export function backendSessionOptions(headerBytes: number): http2.ClientSessionOptions {
  return {
    maxHeaderListPairs: maxFields,
    maxSessionMemory: sessionMegabytes,
    // Other sessions' streams are not to be sent into a session of which nothing is known yet.
    peerMaxConcurrentStreams: maxStreamsPerBackend,
    settings: {
      initialWindowSize: streamWindowBytes,
      enablePush: false,
      maxHeaderListSize: Math.min(headerBytes, 2 ** 31 - 1),
    },
  };
}

/** Error codes of RFC 9113 §7 that are used here. */
export const errorCodes = {
  none: http2.constants.NGHTTP2_NO_ERROR,
  protocol: http2.constants.NGHTTP2_PROTOCOL_ERROR,
  internal: http2.constants.NGHTTP2_INTERNAL_ERROR,
  flowControl: http2.constants.NGHTTP2_FLOW_CONTROL_ERROR,
  streamClosed: http2.constants.NGHTTP2_STREAM_CLOSED,
  frameSize: http2.constants.NGHTTP2_FRAME_SIZE_ERROR,
  refused: http2.constants.NGHTTP2_REFUSED_STREAM,
  cancel: http2.constants.NGHTTP2_CANCEL,
  compression: http2.constants.NGHTTP2_COMPRESSION_ERROR,
  calmDown: http2.constants.NGHTTP2_ENHANCE_YOUR_CALM,
} as const;

/** A frame's END_STREAM. */
export const endStreamFlag = http2.constants.NGHTTP2_FLAG_END_STREAM;
