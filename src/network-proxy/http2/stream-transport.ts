import type { Http2Stream } from 'node:http2';
import type { PeerAddress } from '../../base/transport.ts';
import { PortableTransport } from '../../transport/portable-transport.ts';
import type { TransportResources } from '../../transport/socket-transport.ts';
import { errorCodes } from './limits.ts';
import { resetStream } from './reset-stream.ts';

/** One stream as the bytes of a tunnel: END_STREAM is FIN, RST_STREAM is RST (RFC 8441 §5). */
export class StreamTransport extends PortableTransport {
  readonly #stream: Http2Stream;
  readonly #local: PeerAddress;

  constructor(stream: Http2Stream, resources: TransportResources, peer: PeerAddress, local: PeerAddress) {
    super(stream, resources, peer);
    this.#stream = stream;
    this.#local = local;
    // While somebody looked for the other side of the tunnel.
    if (stream.readableEnded) this.streamEnded();
  }

  override get local(): PeerAddress {
    return this.#local;
  }

  /** Node ends a stream that was reset as if END_STREAM had come: 'close' tells what happened. */
  override streamEnded(): void {
    if (this.#stream.rstCode === errorCodes.none && !this.#stream.aborted) super.streamEnded();
  }

  protected override resetStream(): void {
    resetStream(this.#stream, errorCodes.cancel);
  }
}
