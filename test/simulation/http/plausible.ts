import type { TerminationReason } from '../../../src/base/termination.ts';
import type { Deed } from '../peer.ts';
import type { Conversation } from './conversation.ts';
import { headBeganAt } from './overdue.ts';
import { positionOf } from './position.ts';
import type { SiteWorld } from './site-world.ts';

/** Whether the world gave a cause for the ending of the connection on which requests were read. */
type Check = (world: SiteWorld, conversation: Conversation) => boolean;

const reached = (value: number, limit: number): boolean => limit > 0 && value >= limit - 0.5;
const did = ({ peer }: Conversation, ...deeds: Deed[]): boolean => deeds.some((deed) => peer.did.has(deed));

/** No head came in time: measured from its first byte, or from when the first was waited for. */
const headLate: Check = (world, conversation) => {
  const { reading, entries } = conversation;
  if (reading === undefined) return false;
  const position = positionOf(conversation, reading.atCause.bytesRead, over(conversation));
  const { requestHeadMs } = world.plan.timeouts;
  const since = position.stage === 'head' ? headBeganAt(world, reading.client, position) : position.since;
  const isWaiting = position.stage === 'head' || (position.stage === 'idle' && entries.length === 0);
  return isWaiting && reached(reading.causedAt - since, requestHeadMs);
};

/** The answer had begun, and the rest of the request did not come. */
const bodyLate: Check = (_world, { entries }) => entries.at(-1)?.error === 'request-timeout';

const wasIdle: Check = ({ plan }, conversation) => {
  const { reading, entries } = conversation;
  if (reading === undefined || entries.length === 0 || reading.atCause.readEnded) return false;
  if (conversation.plan.script.requests[entries.length - 1]?.last === true) return false;
  const { stage, since } = positionOf(conversation, reading.atCause.bytesRead, entries);
  return stage === 'idle' && reached(reading.causedAt - since, plan.timeouts.keepAliveMs);
};

/** Nothing was taken of what was pending. */
const stood: Check = ({ plan }, conversation) => {
  const { responseWriteMs, stalledWriteMs } = plan.timeouts;
  const pending = (conversation.reading?.atCause.pendingBytes ?? 0) > 0;
  return (
    pending && (reached(age(conversation), responseWriteMs) || reached(age(conversation), stalledWriteMs))
  );
};

const targetFailed: Check = (_world, { entries }) =>
  /^target-|^invalid-response$/.test(entries.at(-1)?.error ?? '');

const checks: Partial<Record<TerminationReason, Check>> = {
  'client-closed': (_world, conversation) => did(conversation, 'fin', 'destroy'),
  'client-reset': (_world, conversation) => did(conversation, 'reset', 'destroy'),
  'client-timed-out': (_world, conversation) => did(conversation, 'give-up'),
  'target-closed': (world, conversation) => inTunnel(conversation) || targetFailed(world, conversation),
  'target-reset': (world, conversation) => inTunnel(conversation) || targetFailed(world, conversation),
  'target-timed-out': (world, conversation) => inTunnel(conversation) || targetFailed(world, conversation),
  responded: (_world, { entries }) => entries.length > 0,
  blocked: (_world, { entries }) => entries.at(-1)?.error === 'blocked',
  'invalid-request': (_world, { plan }) =>
    plan.script.requests.some(({ fault, upgrade }) => fault !== null || upgrade),
  'request-timeout': (world, conversation) => headLate(world, conversation) || bodyLate(world, conversation),
  'keep-alive-timeout': wasIdle,
  'stalled-write': stood,
  inactivity: ({ plan }, conversation) => reached(age(conversation), plan.timeouts.inactivityMs),
  'half-close-timeout': ({ plan }, conversation) => reached(age(conversation), plan.timeouts.halfCloseMs),
  'max-lifetime': ({ plan }, conversation) => reached(age(conversation), plan.timeouts.maxLifetimeMs * 0.95),
  'initial-data-timeout': ({ plan }, conversation) => reached(age(conversation), plan.timeouts.initialDataMs),
  'initial-data-too-large': () => false,
  'connection-limit': ({ plan }) => plan.limits.maxConnectionsPerIp > 0,
  'rate-limit': ({ plan }) => plan.limits.connectionsPerMinutePerIp > 0,
  // A client that stops in the middle of its first word.
  'no-route': (_world, { peer, plan }) => peer.sentBytes < plan.script.proxyHeaderBytes + 20,
  operator: ({ reader }) => reader.terminated > 0,
  'route-removed': ({ reader }) => reader.reloadedAt !== null,
  orphaned: ({ reader }, { reading }) => reading !== undefined && reader.vanished.has(reading.record),
  shutdown: ({ reader }) => reader.proxy.stopping,
};

/** What ends a connection that nothing else has ended. */
const noticesNothing: readonly TerminationReason[] = [
  'inactivity',
  'half-close-timeout',
  'max-lifetime',
  'operator',
  'shutdown',
];

/** Null where the ending makes sense; otherwise a sentence. */
export function implausible(world: SiteWorld, conversation: Conversation): string | null {
  const termination = conversation.reading?.record.termination;
  if (termination === undefined || termination === null) return null;
  if (noticesNothing.includes(termination.reason) && conversation.reading?.atCause.targetFailed === true)
    return `${termination.reason}, although its tunnel had broken`;
  const check = checks[termination.reason];
  if (check === undefined) return `ended as ${termination.reason}, which nothing here can cause`;
  return check(world, conversation) ? null : `${termination.reason} in ${termination.phase}, without a cause`;
}

/** Requests that were over before the connection was. */
function over({ entries, reading }: Conversation): Conversation['entries'] {
  const reason = reading?.record.termination?.reason;
  return entries.filter(({ error, at }) => error !== reason || at < (reading?.causedAt ?? 0));
}

function inTunnel({ entries }: Conversation): boolean {
  return entries.at(-1)?.status === 101;
}

function age({ reading }: Conversation): number {
  return reading?.record.termination?.durationMs ?? 0;
}
