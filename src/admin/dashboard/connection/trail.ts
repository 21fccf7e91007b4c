import type { ConnectionRecord, TrailEvent } from '../admin-api/answers.ts';
import { duration } from '../words/durations.ts';
import { endpoint } from '../words/endpoints.ts';

/** Whose doing an event is, and so on which side of the timeline it stands. */
export type Side = 'client' | 'proxy' | 'target';

export interface Step {
  readonly atMs: number;
  readonly side: Side;
  readonly title: string;
  /** `serverName a.test`, one for each detail. */
  readonly details: readonly string[];
  readonly tone: 'plain' | 'good' | 'bad';
}

interface Words {
  readonly side: Side;
  readonly title: string;
  readonly tone?: 'good' | 'bad';
  /** Where the fields as they are would not be read gladly. */
  readonly tell?: (event: TrailEvent) => string[];
}

/** Said by what is around it already. */
const untold: ReadonlySet<string> = new Set(['atMs', 'what', 'reason']);

const words: Readonly<Record<string, Words>> = {
  accepted: { side: 'client', title: 'Connected' },
  'proxy-header': {
    side: 'client',
    title: 'PROXY header',
    tell: ({ client }) => [`it comes from ${client}`],
  },
  'proxy-header-not-trusted': { side: 'client', title: 'PROXY header not believed' },
  asked: { side: 'client', title: 'Asked after another' },
  bridged: { side: 'client', title: 'Came over the bridge' },
  hello: { side: 'client', title: 'ClientHello read', tell: tellHello },
  'first-bytes': { side: 'client', title: 'First bytes read', tell: ({ kind }) => [`${kind}`] },
  routed: { side: 'proxy', title: 'Route chosen', tell: ({ route }) => [`${route}`] },
  'tls-established': { side: 'client', title: 'TLS established', tone: 'good' },
  'tls-failed': { side: 'client', title: 'TLS failed', tone: 'bad' },
  dialing: {
    side: 'target',
    title: 'Dialing',
    tell: ({ host, port }) => [endpoint(`${host}`, Number(port))],
  },
  'dial-failed': { side: 'target', title: 'Dial failed', tone: 'bad' },
  connected: {
    ...{ side: 'target', title: 'Connected', tone: 'good' },
    tell: ({ dialMs }) => [`after ${duration(Number(dialMs))}`],
  },
  established: { side: 'target', title: 'Established in the kernel', tone: 'good' },
  reset: {
    side: 'proxy',
    title: 'Reset seen by the kernel',
    tone: 'bad',
    tell: ({ by }) => [`by the ${by}`],
  },
  'left-to-the-kernel': { side: 'proxy', title: 'Left to the kernel' },
  'client-ended': { side: 'client', title: 'Sent FIN' },
  'target-ended': { side: 'target', title: 'Sent FIN' },
  'request-failed': { side: 'target', title: 'A request failed', tone: 'bad', tell: tellRequest },
  'handler-failed': { side: 'target', title: 'A handler failed', tone: 'bad' },
  'handler-threw': { side: 'target', title: 'Handler threw', tone: 'bad' },
};

/** Endings by which everything was delivered. */
const calm: ReadonlySet<string> = new Set([
  ...['client-closed', 'target-closed', 'responded', 'handler-ended', 'keep-alive-timeout', 'kernel-closed'],
]);

export function isCalm(reason: string): boolean {
  return calm.has(reason);
}

/** Whether a step of the trail has words of its own here. */
export function isKnownStep(what: string): boolean {
  return what === 'ending' || Object.hasOwn(words, what);
}

/** The story of a connection as a page shows it. What is not known here is shown by its own name. */
export function stepsOf({ events, termination }: ConnectionRecord): Step[] {
  return events.map((event) => {
    if (event.what === 'ending') return endingStep(event, termination);
    const known: Words = words[event.what] ?? { side: 'proxy', title: event.what };
    const { side, title, tone = 'plain', tell = detailsOf } = known;
    return { atMs: event.atMs, side, title, details: tell(event), tone };
  });
}

function endingStep(event: TrailEvent, termination: ConnectionRecord['termination']): Step {
  const reason = `${event.reason ?? 'ended'}`;
  const initiator = termination?.initiator ?? 'proxy';
  const side = initiator === 'client' || initiator === 'target' ? initiator : 'proxy';
  const details = termination?.error?.message;
  return {
    atMs: event.atMs,
    side,
    title: `Ended: ${reason}`,
    details: details === undefined ? [] : [details],
    tone: isCalm(reason) ? 'good' : 'bad',
  };
}

function tellHello({ serverName, ech }: TrailEvent): string[] {
  const name = serverName === null ? 'without a name' : `${serverName}`;
  return ech === undefined ? [name] : [name, 'with Encrypted Client Hello'];
}

function tellRequest({ method, status, error }: TrailEvent): string[] {
  return [`${method} ${status ?? 'without an answer'}`, `${error}`];
}

function detailsOf(event: TrailEvent): string[] {
  return Object.entries(event)
    .filter(([name, value]) => !untold.has(name) && value !== null && value !== '')
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
}
