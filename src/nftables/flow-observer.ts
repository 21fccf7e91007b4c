import type { Flow } from './flow.ts';

/** How the kernel says that a flow ended. */
export type FlowReason = 'kernel-closed' | 'kernel-reset' | 'kernel-expired';

export interface FlowEnding {
  readonly reason: FlowReason;
  /** The sides that sent FIN, in that order. */
  readonly fins: readonly ('client' | 'target')[];
  /** Who sent a RST first of all; null where nobody did, or it is not told. */
  readonly resetBy: 'client' | 'target' | null;
}

/** How much more of a flow there was than was told at its end. */
export interface Correction {
  readonly fromClient: number;
  readonly toClient: number;
}

/**
 * What is told of the flows of one table. For each flow: `opened` once, `established` at most once,
 * `ended` at most once (not for one that was cut), and `corrected` any time after it has closed. Times
 * are monotonic milliseconds of the clock. No method may throw.
 */
export interface FlowObserver {
  opened(flow: Flow, at: number): void;
  established(flow: Flow, at: number): void;
  /** Something has crossed since it was last looked at. */
  moved(flow: Flow): void;
  ended(flow: Flow, ending: FlowEnding, at: number): void;
  corrected(flow: Flow, correction: Correction): void;
}
