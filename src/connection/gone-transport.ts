import type { PeerAddress, Transport } from '../base/transport.ts';

/** What can be said of a transport. */
type Account = Pick<
  Transport,
  'peer' | 'bytesRead' | 'bytesWritten' | 'readEnded' | 'writeEnded' | 'writeFinished'
>;

/** What is left of a transport whose descriptor is gone: its account. The socket itself can be collected. */
export class GoneTransport implements Transport {
  readonly peer: PeerAddress;
  readonly local: PeerAddress = { ip: '', port: 0 };
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly pendingBytes = 0;
  readonly readEnded: boolean;
  readonly writeEnded: boolean;
  readonly writeFinished: boolean;
  readonly closed = true;

  constructor(transport: Account) {
    this.peer = transport.peer;
    this.bytesRead = transport.bytesRead;
    this.bytesWritten = transport.bytesWritten;
    this.readEnded = transport.readEnded;
    this.writeEnded = transport.writeEnded;
    this.writeFinished = transport.writeFinished;
  }

  setListener(): void {}

  pause(): void {}

  resume(): void {}

  write(): boolean {
    return false;
  }

  end(): void {}

  reset(): void {}

  destroy(): void {}
}
