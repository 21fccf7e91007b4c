/** Frames of RFC 9113 §6. */
export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const frameFlags = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

/** Length, type, flags and stream. */
export const frameHeadBytes = 9;

/** SETTINGS_MAX_FRAME_SIZE as it is from the beginning: we neither read nor write larger ones. */
export const maxFrameBytes = 16_384;

/** SETTINGS_HEADER_TABLE_SIZE as it is from the beginning. */
export const firstTableBytes = 4096;

/** SETTINGS_INITIAL_WINDOW_SIZE as it is from the beginning, and the connection's window. */
export const firstWindowBytes = 65_535;

export const mostWindowBytes = 2 ** 31 - 1;

/** Identifiers of SETTINGS (§6.5.2, RFC 8441 §3). */
export const settingIds = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

/** What a client sends first (§3.4). */
export const clientPreface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
