import type { PeerAddress } from '../base/transport.ts';
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
