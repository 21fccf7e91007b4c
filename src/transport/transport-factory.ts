import net from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { PeerAddress } from '../base/transport.ts';
import { EndingPace } from './ending-pace.ts';
import { FairShare } from './fair-share.ts';
import { detectTransportKind, hangUpLooksLikeEnd, type TransportKind } from './feature-detection.ts';
import { HandleWrites } from './handle-writes.ts';
import { acceptOnHandle, type ListeningHandle, openNativeSocket } from './native-sockets.ts';
import type { NativeTransport } from './native-transport.ts';
import { PortableTransport } from './portable-transport.ts';
import { ReadBuffers } from './read-buffers.ts';
import type { TransportResources } from './socket-transport.ts';
import { WriteStaging } from './write-staging.ts';

/** A transport on a socket: it can be given away for TLS and HTTP/2. */
export type SocketBackedTransport = NativeTransport | PortableTransport;

/** First probe after 60 s: a peer that vanished without a word is noticed. */
const keepAliveSeconds = 60;

/** Nothing is read before there is a reader, and FIN is half a close. */
const serverOptions = Object.freeze({
  allowHalfOpen: true,
  pauseOnConnect: true,
}) satisfies net.ServerOpts;

const socketOptions = Object.freeze({
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: keepAliveSeconds * 1000,
});

export interface TransportFactoryOptions {
  clock: Clock;
  /** The budget of all bulk read buffers together; 0 means no limit. */
  relayBufferBytes: number;
  /** Default: what this Node can do. */
  kind?: TransportKind;
}

/** Makes the transports of one SmartProxy, which share its read buffers and its turns of the loop. */
export class TransportFactory {
  readonly kind: TransportKind;
  readonly readBuffers: ReadBuffers;
  /** For transports on streams that are made elsewhere. */
  readonly resources: TransportResources;
  readonly #inherits: boolean;

  constructor(options: TransportFactoryOptions) {
    this.kind = options.kind ?? detectTransportKind();
    this.#inherits = this.kind === 'native' && process.platform === 'linux';
    this.readBuffers = new ReadBuffers(options.relayBufferBytes);
    this.resources = {
      readBuffers: this.readBuffers,
      staging: new WriteStaging(options.clock),
      writes: this.kind === 'native' ? HandleWrites.detect() : null,
      fairShare: new FairShare(options.clock),
      endingPace: new EndingPace(options.clock),
      hangUpLooksLikeEnd: hangUpLooksLikeEnd(process.versions.uv),
    };
  }

  /**
   * A server that gives each connection as a transport, paused. Linux hands the options of a
   * listening socket down to those that it accepts, so they are set once, when it listens, instead
   * of with five system calls for each connection; elsewhere they are set on each.
   */
  createServer(onAccepted: (transport: SocketBackedTransport) => void): net.Server {
    const options = this.#inherits ? serverOptions : { ...serverOptions, ...socketOptions };
    const server = net.createServer(options, (socket) =>
      onAccepted(new PortableTransport(socket, this.resources)),
    );
    server.on('listening', () => {
      if (this.#inherits) setInheritedOptions(server);
      if (this.kind === 'native') acceptOnHandle(server, this.resources, this.#withOptions(onAccepted));
    });
    return server;
  }

  #withOptions(onAccepted: (transport: NativeTransport) => void): (transport: NativeTransport) => void {
    if (this.#inherits) return onAccepted;
    return (transport) => {
      transport.socket.setNoDelay(true).setKeepAlive(true, socketOptions.keepAliveInitialDelay);
      onAccepted(transport);
    };
  }

  /**
   * Begins to connect. `connect` and `error` come later, never within the call; the transport
   * may be used from now on.
   */
  readonly connectSocket = (
    to: { ip: string; port: number } | { path: string },
  ): { socket: net.Socket; transport: SocketBackedTransport } => {
    const peer: PeerAddress = 'ip' in to ? { ip: to.ip, port: to.port } : { ip: '', port: 0 };
    const address = 'ip' in to ? { host: to.ip, port: to.port } : { path: to.path };
    if (this.kind === 'native') {
      const transport = openNativeSocket(peer, this.resources);
      transport.connect(address);
      return { socket: transport.socket, transport };
    }
    const socket = new net.Socket({ allowHalfOpen: true, ...socketOptions });
    socket.connect(address);
    return { socket, transport: new PortableTransport(socket, this.resources, peer) };
  };

  /** Wraps any other stream: a TLS socket, a stream of a user's. */
  readonly wrapStream = (stream: ConstructorParameters<typeof PortableTransport>[0]): PortableTransport =>
    new PortableTransport(stream, this.resources);
}

function setInheritedOptions(server: net.Server): void {
  const { _handle: handle } = server as net.Server & { _handle?: ListeningHandle | null };
  handle?.setNoDelay?.(true);
  handle?.setKeepAlive?.(true, keepAliveSeconds);
}
