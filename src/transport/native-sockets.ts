import net from 'node:net';
import type { PeerAddress } from '../base/transport.ts';
import { type NativeHandle, NativeTransport, nativeParts } from './native-transport.ts';
import { handlePeerAddress } from './socket-address.ts';
import type { TransportResources } from './socket-transport.ts';

/** A listening handle: Node sets what it calls for each connection. */
export interface ListeningHandle {
  onconnection?: (status: number, client: NativeHandle | undefined) => void;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, delaySeconds: number): number;
}

/** A server with the private properties that accepting on its handle needs. */
interface NativeServer {
  _handle: ListeningHandle | null;
  _connections: number;
}

/** Options of every socket, whichever side it is on. */
const commonOptions = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  // Any byte that the kernel does not take at once makes the writer wait.
  writableHighWaterMark: 1,
};

/** Makes a socket of its own that connects when it is told to. */
export function openNativeSocket(peer: PeerAddress, resources: TransportResources): NativeTransport {
  const transport = build(peer, resources, {});
  transport.socket.pause();
  return transport;
}

/**
 * Accepts on the listening handle itself. Node would make a socket of its own for each connection,
 * which could only be thrown away: it cannot be told to read into our buffers. The server goes on
 * counting, and Node's own function goes on with what is not a connection to be taken. False
 * where the handle is not as expected: then the server emits 'connection', as always.
 */
export function acceptOnHandle(
  server: net.Server,
  resources: TransportResources,
  onAccepted: (transport: NativeTransport) => void,
): boolean {
  const { _handle: listening } = server as unknown as NativeServer;
  const nodes = listening?.onconnection;
  if (!listening || typeof nodes !== 'function') return false;
  listening.onconnection = (status, client) => {
    if (status !== 0 || client === undefined || isFull(server)) nodes.call(listening, status, client);
    else onAccepted(openAccepted(server, client, resources));
  };
  return true;
}

function isFull(server: net.Server): boolean {
  const { maxConnections } = server;
  return (
    typeof maxConnections === 'number' && (server as unknown as NativeServer)._connections >= maxConnections
  );
}

/** The socket of an accepted handle. It counts itself off at its server when it is destroyed. */
function openAccepted(
  server: net.Server,
  handle: NativeHandle,
  resources: TransportResources,
): NativeTransport {
  const options = { handle, pauseOnCreate: true, manualStart: true };
  const transport = build(handlePeerAddress(handle), resources, options);
  const socket = nativeParts(transport.socket);
  socket._server = server;
  socket.server = server;
  (server as unknown as NativeServer)._connections++;
  return transport;
}

function build(peer: PeerAddress, resources: TransportResources, options: object): NativeTransport {
  let transport: NativeTransport;
  const socket = new net.Socket({
    ...commonOptions,
    ...options,
    onread: {
      buffer: resources.readBuffers.nextBuffer,
      callback: (length: number, memory: Uint8Array) => transport.readInto(length, memory),
    },
  } as net.SocketConstructorOpts);
  transport = new NativeTransport(socket, peer, resources);
  return transport;
}
