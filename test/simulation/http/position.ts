import type { Conversation } from './conversation.ts';
import type { LoggedRequest } from './journal.ts';
import type { RequestPlan } from './requests.ts';

/** How far a client has come with its next request, by the bytes that the proxy has read of it. */
export interface Position {
  /** The request that is not over: the number of those that are. */
  readonly index: number;
  readonly request: RequestPlan | undefined;
  /** `idle`: nothing of it came. `head`, `body`: not all of that. `asked`: it is there. */
  readonly stage: 'idle' | 'head' | 'body' | 'asked';
  /** Places of its first byte and of the first behind its head, in what was read. */
  readonly startsAt: number;
  readonly bodyAt: number;
  /** When the one before it was over, or the connection began. */
  readonly since: number;
}

/**
 * @param bytesRead all that was read of the client, what came before its first request included
 * @param entries the requests that are over
 */
export function positionOf(
  { plan, reading }: Conversation,
  bytesRead: number,
  entries: readonly LoggedRequest[],
): Position {
  const { requests } = plan.script;
  const index = entries.length;
  const before = requests
    .slice(0, index)
    .reduce((sum, { head, content }) => sum + head.length + content.length, 0);
  const startsAt = (reading?.record.proxyHeaderBytes ?? 0) + before;
  const request = requests[index];
  const since = Math.max(reading?.handedOverAt ?? 0, entries.at(-1)?.at ?? 0);
  const place = { index, request, startsAt, since };
  if (request === undefined)
    return { ...place, stage: bytesRead > startsAt ? 'head' : 'idle', bodyAt: startsAt };
  const bodyAt = startsAt + request.head.length;
  const endsAt = bodyAt + request.content.length;
  const stage =
    bytesRead <= startsAt ? 'idle' : bytesRead < bodyAt ? 'head' : bytesRead < endsAt ? 'body' : 'asked';
  return { ...place, stage, bodyAt };
}
