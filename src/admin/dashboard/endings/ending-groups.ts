import type { ConnectionState, Initiator, TerminationReason } from '../../../base/termination.ts';
import type { EndedRow } from '../../live/messages.ts';

/** Connections that ended in the same way. */
export interface EndingGroup {
  readonly reason: TerminationReason;
  readonly phase: ConnectionState;
  readonly initiator: Initiator;
  /** The newest first. */
  readonly endings: readonly EndedRow[];
  /** Routes with how many of them, the largest first. Null: before one was chosen. */
  readonly routes: readonly (readonly [route: string | null, count: number])[];
}

/** By reason and phase, the largest group first. */
export function groupEndings(endings: readonly EndedRow[]): EndingGroup[] {
  const groups = Map.groupBy(endings, ({ reason, phase }) => `${reason} ${phase}`);
  return [...groups.values()]
    .map((members): EndingGroup => {
      const { reason, phase, initiator } = members[0] as EndedRow;
      return { reason, phase, initiator, endings: members.toReversed(), routes: countRoutes(members) };
    })
    .sort(
      (one, other) => other.endings.length - one.endings.length || one.reason.localeCompare(other.reason),
    );
}

function countRoutes(endings: readonly EndedRow[]): [string | null, number][] {
  const counts = new Map<string | null, number>();
  for (const { route } of endings) counts.set(route, (counts.get(route) ?? 0) + 1);
  return [...counts].sort(([, one], [, other]) => other - one);
}
