import type { Clock } from '../../src/base/clock.ts';
import type { TransportListener } from '../../src/base/transport.ts';
import type { MemoryTransport } from '../../src/transport/memory-transport.ts';
import { joinBytes } from './first-bytes.ts';

/** Told what happens, when somebody wants to read it. */
export type Trace = (who: string, what: string) => void;

/** What a peer does to its socket. `give-up`: the kernel of the proxy loses the connection (ETIMEDOUT). */
export type Deed = 'fin' | 'reset' | 'destroy' | 'pause' | 'resume' | 'give-up';

/** What a peer does some time after it read a FIN. */
export interface AfterEnd {
  readonly deed: Deed | 'nothing';
  readonly delayMs: number;
}

/** One peer of a proxy on its own end of a connection: remembers all that it did and saw. */
export abstract class Peer implements TransportListener {
  readonly name: string;
  protected readonly clock: Clock;
  readonly #trace: Trace | null;
  /** Its own end, and the proxy's. */
  near: MemoryTransport | null = null;
  far: MemoryTransport | null = null;
  readonly #sent: Uint8Array[] = [];
  readonly #received: Uint8Array[] = [];
  readonly did = new Set<Deed>();
  sawFin = false;
  /** How its socket failed, if it did. */
  sawError: string | null = null;

  constructor(name: string, clock: Clock, trace: Trace | null) {
    this.name = name;
    this.clock = clock;
    this.#trace = trace;
  }

  /** Takes its end over. `near` is the peer's, `far` the one that the proxy gets. */
  connect(near: MemoryTransport, far: MemoryTransport): void {
    this.near = near;
    this.far = far;
    near.setListener(this);
    this.begin();
  }

  /** The connection exists. */
  protected abstract begin(): void;

  /** Bytes came, in memory of their own. */
  protected heard(_bytes: Uint8Array): void {}

  /** A FIN came. */
  protected heardEnd(): void {}

  get sent(): Uint8Array {
    return joinBytes(this.#sent);
  }

  get received(): Uint8Array {
    return joinBytes(this.#received);
  }

  /** Bytes of what it wrote that its kernel took: all that can have reached anybody. */
  get sentBytes(): number {
    return this.near?.bytesWritten ?? 0;
  }

  protected note(what: string): void {
    this.#trace?.(this.name, what);
  }

  do(deed: Deed): void {
    const near = this.near;
    if (near === null || near.gone) return;
    this.did.add(deed);
    this.note(deed);
    switch (deed) {
      case 'fin':
        near.end();
        break;
      case 'reset':
        near.reset();
        break;
      case 'destroy':
        near.destroy();
        break;
      case 'pause':
        near.pause();
        break;
      case 'resume':
        near.resume();
        break;
      case 'give-up':
        this.far?.fail('ETIMEDOUT');
        break;
    }
  }

  protected write(bytes: Uint8Array): void {
    const near = this.near as MemoryTransport;
    if (near.gone || near.writeEnded) return;
    this.#sent.push(bytes);
    this.note(`writes ${bytes.length}`);
    near.write(bytes);
  }

  /** What it does once it has read a FIN. */
  protected answerEnd({ deed, delayMs }: AfterEnd): void {
    if (deed !== 'nothing') this.clock.setTimer(delayMs, () => this.do(deed));
  }

  onData(bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#received.push(copy);
    this.heard(copy);
  }

  onEnd(): void {
    this.sawFin = true;
    this.heardEnd();
  }

  onDrain(): void {}

  onFinish(): void {}

  onError(error: Error): void {
    this.sawError = (error as { code?: string }).code ?? error.message;
  }

  onClose(): void {}
}
