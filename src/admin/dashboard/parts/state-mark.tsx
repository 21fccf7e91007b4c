import type { ConnectionState } from '../../../base/termination.ts';

/** A shape for each kind of state, so that the colour is not all there is. */
const kinds: Readonly<Record<ConnectionState, 'early' | 'open' | 'half' | 'over'>> = {
  accepted: 'early',
  'reading-first-bytes': 'early',
  routing: 'early',
  dialing: 'early',
  'handed-over': 'early',
  established: 'open',
  'half-closed': 'half',
  closing: 'over',
  closed: 'over',
};

export function StateMark({ state }: { state: ConnectionState }) {
  return (
    <span class="state">
      <span class={`state-mark state-${kinds[state]}`} />
      {state}
    </span>
  );
}
