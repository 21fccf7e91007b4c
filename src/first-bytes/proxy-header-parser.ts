import { proxyV1Signature, proxyV2Signature } from '../base/proxy-protocol.ts';
import type { ProxyHeaderResult } from './proxy-header.ts';
import { parseProxyV1 } from './proxy-header-v1.ts';
import { parseProxyV2 } from './proxy-header-v2.ts';

export type { ProxyHeader, ProxyHeaderResult } from './proxy-header.ts';

/**
 * Reads a PROXY header of either version from the beginning of `bytes`; what comes after it is
 * not looked at. Pure: the caller collects bytes and asks again once there are `need` of them.
 * Strict: what the specification does not allow is `invalid`, except that addresses of families
 * that it lets a receiver not support are skipped.
 */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeaderResult {
  if (bytes.length === 0) return { kind: 'incomplete', need: 1 };
  const [signature, parse] =
    bytes[0] === proxyV1Signature[0] ? [proxyV1Signature, parseProxyV1] : [proxyV2Signature, parseProxyV2];
  const known = Math.min(bytes.length, signature.length);
  for (let at = 0; at < known; at++) if (bytes[at] !== signature[at]) return { kind: 'not-proxy' };
  return known < signature.length ? { kind: 'incomplete', need: known + 1 } : parse(bytes);
}
