import type { Story } from '../witness.ts';
import type { HttpClient } from './client.ts';
import type { LoggedRequest } from './journal.ts';
import type { HttpClientPlan } from './plan.ts';
import type { SiteWorld } from './site-world.ts';

/** All that one client's connection was: what was meant, what was seen, and what the proxy says of it. */
export interface Conversation {
  readonly peer: HttpClient;
  readonly plan: HttpClientPlan;
  /** Of the connection that the client made; undefined: it was turned away before it had a record. */
  readonly story: Story | undefined;
  /** Of the connection on which its requests were read: the same, or the one behind the bridge. */
  readonly reading: Story | undefined;
  readonly entries: readonly LoggedRequest[];
}

export function conversationsOf(world: SiteWorld): Conversation[] {
  return [...world.clients].map(([transport, { peer, plan }]) => {
    const story = [...world.front.witness.stories.values()].find(({ client }) => client === transport);
    const reading = story === undefined ? undefined : world.readingOf(story);
    const entries = reading === undefined ? [] : world.journal.loggedOf(reading.record.id);
    return { peer, plan, story, reading, entries };
  });
}

/** The first of its requests that nobody may act on, nor on anything behind it; past the last where all are sound. */
export function firstFault({ plan }: Pick<Conversation, 'plan'>): number {
  const { requests } = plan.script;
  const at = requests.findIndex(({ fault }) => fault !== null);
  return at < 0 ? requests.length : at;
}

/** The address that the proxy is to know the client by. */
export function clientIp({ plan }: Pick<Conversation, 'plan'>): string {
  return plan.script.realIp ?? plan.ip;
}
