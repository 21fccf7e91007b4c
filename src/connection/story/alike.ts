import type { ConnectionRecord } from '../connection-record.ts';
import type { Alike } from './facts.ts';

/**
 * How many others ended today (UTC) as this one did: for the same reason on the same route, and
 * where the target is to blame, at the same target.
 *
 * @param ended those that are remembered, the newest first
 * @param complete whether none is forgotten
 */
export function alikeToday(
  record: ConnectionRecord,
  ended: readonly ConnectionRecord[],
  complete: boolean,
): Alike | null {
  const day = dayOf(record);
  if (day === undefined) return null;
  const today = ended.filter((other) => other !== record && dayOf(other) === day && isAlike(record, other));
  const oldest = ended.at(-1);
  return { today: today.length, complete: complete || (oldest !== undefined && dayOf(oldest) !== day) };
}

function dayOf({ termination }: ConnectionRecord): string | undefined {
  return termination?.endedAt.slice(0, 10);
}

function isAlike(one: ConnectionRecord, other: ConnectionRecord): boolean {
  if (one.termination?.reason !== other.termination?.reason) return false;
  if (one.route?.name !== other.route?.name) return false;
  if (one.termination?.initiator !== 'target') return true;
  const [here, there] = [one.targetAddress, other.targetAddress];
  return here?.host === there?.host && here?.port === there?.port;
}
