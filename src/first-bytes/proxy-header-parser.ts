import { proxyV1Signature, proxyV2Signature } from '../base/proxy-protocol.ts';
import type { PeerAddress } from '../base/transport.ts';
import { parseProxyV1 } from './proxy-header-v1.ts';
import { parseProxyV2 } from './proxy-header-v2.ts';
import type { ProxyTlvs } from './proxy-tlvs.ts';

/** A complete, valid PROXY header. It shares no memory with the bytes that it was read from. */
export interface ProxyHeader {
  kind: 'header';
  version: 1 | 2;
  /** Bytes of the whole header: what follows is the client's. */
  length: number;
  /** `local`: the sender's own connection (a health check); its real address counts. */
  command: 'proxy' | 'local';
  /**
   * Null where the header carries no TCP address (LOCAL, UNKNOWN, AF_UNSPEC, AF_UNIX, datagrams):
   * then the address of the connection itself is the one to use. Always both or neither.
   */
  source: PeerAddress | null;
  destination: PeerAddress | null;
  /** Empty in version 1, and in a LOCAL header, whose block is skipped unread. */
  tlvs: ProxyTlvs;
}

/** What the bytes so far are. */
export type ProxyHeaderResult =
  | ProxyHeader
  /** It may become a header; nothing can be told before there are `need` bytes in all. */
  | { kind: 'incomplete'; need: number }
  /** It began as a header and is not one. `why` is a fixed phrase, safe to log. */
  | { kind: 'invalid'; why: string }
  /** No header begins like this. */
  | { kind: 'not-proxy' };

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
