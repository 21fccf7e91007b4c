import type { Clock } from '../../src/base/clock.ts';
import type { Loan, TransportListener } from '../../src/base/transport.ts';
import type { MemoryTransport } from '../../src/transport/memory-transport.ts';
import { joinBytes } from './first-bytes.ts';

/** What a peer does to its socket. `give-up`: the kernel of the
 * proxy loses the connection (ETIMEDOUT). */
export type Deed = 'fin' | 'reset' | 'destroy' | 'pause' | 'resume' | 'give-up';

/** `atMs` counts from the moment that the connection exists. */
export type Step = { readonly atMs: number } & (
  | { readonly deed: 'write'; readonly bytes: Uint8Array }
  | { readonly deed: Deed }
);

/** The whole behaviour of a client or of a backend on one connection. */
export interface Script {
  readonly steps: readonly Step[];
  /** Sends back what it reads. */
  readonly echo: boolean;
  /** Reads from the start, or only after a `resume`. */
  readonly reads: boolean;
  /** What it does some time after it read a FIN. */
  readonly afterEnd: { readonly deed: Deed | 'nothing'; readonly delayMs: number };
}

/** One peer of the proxy: follows its script on its own end, and remembers all that it saw. */
export class Actor implements TransportListener {
  readonly name: string;
  readonly script: Script;
  readonly #clock: Clock;
  /** Its own end, and the proxy's. */
  near: MemoryTransport | null = null;
  far: MemoryTransport | null = null;
  readonly #sent: Uint8Array[] = [];
  readonly #received: Uint8Array[] = [];
  /** What it did and heard, in order, for the invariants. */
  readonly did = new Set<Deed>();
  sawFin = false;
  /** How its socket failed, if it did. */
  sawError: string | null = null;
  sawClose = false;

  readonly #trace: ((who: string, what: string) => void) | null;

  constructor(
    name: string,
    script: Script,
    clock: Clock,
    trace: ((who: string, what: string) => void) | null,
  ) {
    this.name = name;
    this.#trace = trace;
    this.script = script;
    this.#clock = clock;
  }

  /** Starts the script. `near` is the actor's end, `far` the one that the proxy gets. */
  connect(near: MemoryTransport, far: MemoryTransport): void {
    this.near = near;
    this.far = far;
    near.setListener(this);
    if (this.script.reads) near.resume();
    const steps = [...this.script.steps].sort((a, b) => a.atMs - b.atMs);
    this.#performFrom(steps, 0, this.#clock.now());
  }

  get connected(): boolean {
    return this.near !== null;
  }

  get sent(): Uint8Array {
    return joinBytes(this.#sent);
  }

  get received(): Uint8Array {
    return joinBytes(this.#received);
  }

  do(deed: Deed): void {
    const near = this.near;
    if (near === null || near.gone) return;
    this.did.add(deed);
    this.#trace?.(this.name, deed);
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

  /** One after the other, so that its own order holds whatever else happens at the same moment. */
  #performFrom(steps: readonly Step[], index: number, startedAt: number): void {
    const step = steps[index];
    if (step === undefined) return;
    this.#clock.setTimer(startedAt + step.atMs - this.#clock.now(), () => {
      this.#perform(step);
      this.#performFrom(steps, index + 1, startedAt);
    });
  }

  #perform(step: Step): void {
    if (step.deed === 'write') this.#write(step.bytes);
    else this.do(step.deed);
  }

  #write(bytes: Uint8Array): void {
    const near = this.near as MemoryTransport;
    if (near.gone || near.writeEnded) return;
    this.#sent.push(bytes);
    this.#trace?.(this.name, `writes ${bytes.length}`);
    near.write(bytes);
  }

  onData(bytes: Uint8Array, _loan?: Loan): void {
    const copy = bytes.slice();
    this.#received.push(copy);
    if (this.script.echo) this.#write(copy);
  }

  onEnd(): void {
    this.sawFin = true;
    const { deed, delayMs } = this.script.afterEnd;
    if (deed !== 'nothing') this.#clock.setTimer(delayMs, () => this.do(deed));
  }

  onDrain(): void {}

  onFinish(): void {}

  onError(error: Error): void {
    this.sawError = (error as { code?: string }).code ?? error.message;
  }

  onClose(): void {
    this.sawClose = true;
  }
}
