import type { Socket } from 'node:net';
import { normalizeAddress } from '../base/address.ts';
import type { PeerAddress } from '../base/transport.ts';

const nowhere: PeerAddress = Object.freeze({ ip: '', port: 0 });

/** Where the peer is; empty for a unix socket, and where the connection is gone already. */
export function peerAddress(socket: Socket): PeerAddress {
  return addressOf(socket.remoteAddress, socket.remotePort);
}

/** The address on this machine; empty for a unix socket, and where the connection is gone already. */
export function localAddress(socket: Socket): PeerAddress {
  return addressOf(socket.localAddress, socket.localPort);
}

function addressOf(ip: string | undefined, port: number | undefined): PeerAddress {
  if (ip === undefined || port === undefined) return nowhere;
  return { ip: normalizeAddress(ip) ?? ip, port };
}

/** Where the peer of a handle is, asked for without the socket around it. */
export function handlePeerAddress(handle: { getpeername?(address: object): number }): PeerAddress {
  // As Node fills it in: an object that changes its shape three times costs as much as the call.
  const found = { address: '', family: '', port: 0 };
  if (handle.getpeername === undefined || handle.getpeername(found) !== 0) return nowhere;
  return found.address === '' ? nowhere : addressOf(found.address, found.port);
}
