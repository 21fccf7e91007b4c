/** Fields that never leave their connection (RFC 9110 §7.6.1), for heads that came as names and values. */
export const hopByHopNames: ReadonlySet<string> = new Set([
  'connection',
  'upgrade',
  'te',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'transfer-encoding',
]);
