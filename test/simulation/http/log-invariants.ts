import type { Conversation } from './conversation.ts';
import type { LoggedRequest } from './journal.ts';
import { isIdempotent, type RequestPlan } from './requests.ts';
import { removedRoute } from './routes.ts';
import type { SiteWorld } from './site-world.ts';

type Say = (problem: string) => void;

/** Whether the world gave a cause for what the log says of a request. */
type Check = (world: SiteWorld, entry: LoggedRequest, request: RequestPlan) => boolean;

const faulty: Check = (_world, _entry, { fault }) => fault === 'body';
const waitedFor =
  (limit: 'connectMs' | 'responseHeadMs'): Check =>
  ({ plan }, { times }) =>
    plan.timeouts[limit] > 0 && times.totalMs >= plan.timeouts[limit] - 0.5;

const checks: Readonly<Record<string, Check>> = {
  'no-route': (_world, _entry, { route }) => ['nowhere', 'stranger', 'old'].includes(route),
  'ambiguous-path': (_world, _entry, { route }) => route === 'ambiguous',
  blocked: (_world, _entry, { route }) => ['guarded', 'closed', 'reset'].includes(route),
  'connection-limit': (_world, _entry, { route }) => route === 'few',
  'connect-refused': ({ network }) => network.outcomes.includes('refuse'),
  'connect-unreachable': ({ network }) => network.outcomes.includes('unreachable'),
  'dns-failed': ({ network }) => network.outcomes.includes('no-name'),
  'connect-timeout': waitedFor('connectMs'),
  'response-timeout': waitedFor('responseHeadMs'),
  'pool-overloaded': ({ plan }, { wasFull }, { route }) =>
    wasFull || (route === 'proxied' && plan.pools.maxConnections < 10),
  'target-selection-failed': (_world, _entry, { route }) => route === 'computed' || route === 'awaited',
  'route-removed': ({ reader }, { at }, { route }) =>
    route === removedRoute && at >= reader.removalDueAt - 0.5,
  'request-timeout': (world, entry, request) => bodyWasLate(world, entry, request),
  'invalid-response': (world, _entry, request) => hasOddAnswer(world, request),
  'target-closed': (world, _entry, request) => backendLeft(world, request),
  'target-reset': (world, _entry, request) => backendLeft(world, request),
  'target-timed-out': (world, _entry, request) => backendLeft(world, request),
  'chunk-size': faulty,
  'chunk-end': faulty,
  'chunk-too-large': faulty,
  'bare-lf': faulty,
  'bare-cr': faulty,
};

/** Each request that was read has one entry, whose cause makes sense. */
export function checkEntries(world: SiteWorld, conversation: Conversation, say: Say): void {
  const { entries, plan, reading } = conversation;
  if (entries.length > plan.script.requests.length + 1) say(`the log has ${entries.length} requests`);
  for (const [index, entry] of entries.entries()) {
    const tell: Say = (problem) => say(`request ${index}, ${entry.error}: ${problem}`);
    const request = plan.script.requests[index];
    if (request === undefined || !entry.path.includes(request.token)) tell(`the log tells of ${entry.path}`);
    else {
      const isEnding = entry.error === reading?.record.termination?.reason && index === entries.length - 1;
      if (!isEnding) checkCause(world, entry, request, tell);
      if (entry.retried && !isIdempotent(request)) tell('was repeated');
      if (shouldHaveBeenRepeated(world, entry, request)) tell('should have been repeated');
      checkWaiting(world, entry, tell);
      checkReused(world, entry, request, tell);
      checkBytes(entry, request, index < entries.length - 1, tell);
    }
  }
}

function checkCause(world: SiteWorld, entry: LoggedRequest, request: RequestPlan, say: Say): void {
  if (entry.error === null) return;
  const check = checks[entry.error];
  if (check === undefined) say('nothing here can cause it');
  else if (!check(world, entry, request)) say('without a cause');
}

/** With no place in the queue nobody waits for a connection that somebody else uses. */
function checkWaiting({ plan }: SiteWorld, { times, retried, route }: LoggedRequest, say: Say): void {
  const waited = (times.queueMs ?? 0) > 0.5;
  if (plan.pools.maxWaiting === 0 && waited && !retried && route === 'web') say('waited without a place');
}

/** Bytes of the request that were used: all of them where the connection went on. */
function checkBytes(
  { bytes, status }: LoggedRequest,
  { head, content }: RequestPlan,
  wentOn: boolean,
  say: Say,
): void {
  const whole = head.length + content.length;
  const counted = bytes.fromClient;
  if (status === 101) return;
  if (counted < head.length || counted > whole) say(`${counted} of ${whole} bytes are counted`);
  else if (wentOn && counted < whole) say(`the connection went on after ${counted} of ${whole} bytes`);
}

/** A connection that the backend closed as it was used again costs a safe request nothing (H8). */
function shouldHaveBeenRepeated({ journal }: SiteWorld, entry: LoggedRequest, request: RequestPlan): boolean {
  const { error, retried, status } = entry;
  if (error === null || !/^target-(closed|reset|timed-out)$/.test(error)) return false;
  if (status === null || retried || !isIdempotent(request) || request.content.length > 0) return false;
  const arrival = journal.arrivalsOf(request.token).at(-1);
  const backend = arrival?.backend ?? journal.partialBackendOf(request.token);
  if (backend === undefined) return false;
  const place = arrival === undefined ? backend.arrivals.length : backend.arrivals.indexOf(arrival);
  if (place === 0) return false;
  const read = backend.far?.bytesRead ?? 0;
  return arrival === undefined ? backend.unaskedFrom === null : read <= arrival.answerFrom;
}

/** Whether a connection had been used before, as its backend knows. */
function checkReused({ journal }: SiteWorld, entry: LoggedRequest, { token }: RequestPlan, say: Say): void {
  const arrival = journal.arrivalsOf(token).at(-1);
  if (arrival === undefined || entry.error !== null) return;
  const reused = arrival.backend.arrivals.indexOf(arrival) > 0;
  if (reused !== entry.reused) say(`is said to have been ${entry.reused ? 'reused' : 'fresh'}`);
}

/** Something that cannot be passed on: nonsense, a head that is too large, or what nobody asked for. */
function hasOddAnswer({ journal, plan }: SiteWorld, request: RequestPlan): boolean {
  const { token, upgrade, body } = request;
  if (plan.limits.headerBytes < 1_000 || (upgrade && body.length > 0)) return true;
  const arrivals = journal.arrivalsOf(token);
  if (arrivals.some((arrival) => arrival.plan.nonsense || arrival.plan.framing === 'tunnel')) return true;
  return journal.backends.some(({ unaskedFrom }) => unaskedFrom !== null);
}

/** Somebody waited for the rest of the body, and nothing of it came for as long as that may take. */
function bodyWasLate(
  world: SiteWorld,
  { at, connection, bytes }: LoggedRequest,
  request: RequestPlan,
): boolean {
  const { requestBodyMs } = world.plan.timeouts;
  if (requestBodyMs === 0 || bytes.fromClient >= request.head.length + request.content.length) return false;
  const story = [...world.reader.witness.stories.values()].find(({ record }) => record.id === connection);
  if (story === undefined) return false;
  const log = world.logOf(story.client);
  return at - Math.max(log.lastReadAt(at), log.resumedAt(at)) >= requestBodyMs - 0.5;
}

function backendLeft({ journal }: SiteWorld, { token }: RequestPlan): boolean {
  const backends = journal.arrivalsOf(token).map(({ backend }) => backend);
  const left = backends.some(
    ({ did }) => did.has('fin') || did.has('destroy') || did.has('reset') || did.has('give-up'),
  );
  // The request itself may have been lost with its connection.
  return left || backends.length === 0;
}
