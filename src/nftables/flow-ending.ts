import type { FlowEnding, FlowReason } from './flow-observer.ts';
import { closing, type FlowMark } from './marks.ts';

const none: FlowEnding['fins'] = [];
const finsOf: Record<FlowMark['closing'], FlowEnding['fins']> = {
  [closing.open]: none,
  [closing.clientFin]: ['client'],
  [closing.targetFin]: ['target'],
  [closing.clientFirst]: ['client', 'target'],
  [closing.targetFirst]: ['target', 'client'],
  [closing.clientReset]: none,
  [closing.targetReset]: none,
};

/** Whether a state of connection tracking is that of a flow in which nothing will be forwarded any more. */
export function isOver(state: string | null): boolean {
  return state === 'TIME_WAIT' || state === 'CLOSE';
}

/**
 * How a flow ended, from what its packets left in the mark. Two packets that cross on two processors can
 * lose one of their notes; then the state of connection tracking tells.
 */
export function endingOf(mark: FlowMark, state: string | null): FlowEnding {
  const fins = finsOf[mark.closing];
  const resetBy =
    mark.closing === closing.clientReset ? 'client' : mark.closing === closing.targetReset ? 'target' : null;
  return { reason: reasonOf(mark, fins.length, state), fins, resetBy };
}

function reasonOf({ over }: FlowMark, fins: number, state: string | null): FlowReason {
  if (fins === 2 || state === 'TIME_WAIT') return 'kernel-closed';
  return over || state === 'CLOSE' ? 'kernel-reset' : 'kernel-expired';
}

/** Nobody said how. */
export const unknownEnding: FlowEnding = { reason: 'kernel-expired', fins: none, resetBy: null };
