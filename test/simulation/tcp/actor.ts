import type { Clock } from '../../../src/base/clock.ts';
import { type AfterEnd, type Deed, Peer, type Trace } from '../peer.ts';

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
  readonly afterEnd: AfterEnd;
}

/** A peer that follows a script by the clock. */
export class Actor extends Peer {
  readonly script: Script;

  constructor(name: string, script: Script, clock: Clock, trace: Trace | null) {
    super(name, clock, trace);
    this.script = script;
  }

  protected override begin(): void {
    if (this.script.reads) this.near?.resume();
    const steps = [...this.script.steps].sort((a, b) => a.atMs - b.atMs);
    this.#performFrom(steps, 0, this.clock.now());
  }

  /** One after the other, so that its own order holds whatever else happens at the same moment. */
  #performFrom(steps: readonly Step[], index: number, startedAt: number): void {
    const step = steps[index];
    if (step === undefined) return;
    this.clock.setTimer(startedAt + step.atMs - this.clock.now(), () => {
      if (step.deed === 'write') this.write(step.bytes);
      else this.do(step.deed);
      this.#performFrom(steps, index + 1, startedAt);
    });
  }

  protected override heard(bytes: Uint8Array): void {
    if (this.script.echo) this.write(bytes);
  }

  protected override heardEnd(): void {
    this.answerEnd(this.script.afterEnd);
  }
}
