import type { ClientHttp2Stream, ClientSessionRequestOptions, OutgoingHttpHeaders } from 'node:http2';
import type { PeerAddress } from '../../base/transport.ts';
import type { TransportResources } from '../../transport/socket-transport.ts';
import type { BackendFailure } from '../exchange.ts';

/** What a stream asks of the session to the backend that it belongs to. */
export interface BackendSessionPort {
  readonly scheme: 'http' | 'https';
  readonly resources: TransportResources;
  readonly peer: PeerAddress;
  readonly local: PeerAddress;
  /** The backend takes extended CONNECT (RFC 8441). */
  readonly upgrades: boolean;
  request(fields: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream;
  /** In a turn of its own. */
  later(action: () => void): void;
  heard(): void;
  readonly heardAt: number;
  gaveUp(): void;
  streamOver(): void;
  failureOf(id: number | undefined, code: number, answered: boolean): BackendFailure;
}
