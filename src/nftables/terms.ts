import type { Family } from '../config/kernel-route.ts';
import { families } from '../config/kernel-route.ts';
import type { Limits, Timeouts } from '../config/resolved.ts';
import type { NftChain, NftSet } from './ruleset.ts';

/** What limits a flow from its beginning on. Routes with the same terms share a chain. */
export interface Terms {
  /** Named by what it says: the same terms have the same name in every ruleset. */
  readonly name: string;
  readonly chain: NftChain;
  readonly sets: readonly (readonly [string, NftSet])[];
  readonly timeout: readonly [string, readonly string[]];
}

type Counts = Pick<Limits, 'maxConnections' | 'maxConnectionsPerIp' | 'connectionsPerMinutePerIp'>;

/** Clients that a set remembers. Beyond that a new one is not counted: nobody is refused for lack of room. */
const rememberedClients = 262_144;

/** Numbers of the kernel have 32 bits; a limit above that is none. */
const highestCount = 2 ** 32 - 1;

/** Connection tracking counts jiffies in 32 bits: a little less than what fits with 1,000 of them a second. */
const longestSeconds = 2_000_000;

/** @param known those of other routes, by their names; most routes have the same */
export function termsOf(limits: Limits, timeouts: Timeouts, known: Map<string, Terms>): Terms {
  const counts = reachable(limits);
  const idle = seconds(timeouts.inactivityMs);
  const halfClosed = seconds(timeouts.halfCloseMs);
  const { maxConnections, maxConnectionsPerIp, connectionsPerMinutePerIp } = counts;
  const name = `terms_${maxConnections}_${maxConnectionsPerIp}_${connectionsPerMinutePerIp}_${idle}_${halfClosed}`;
  const terms = known.get(name) ?? makeTerms(name, counts, idle, halfClosed);
  known.set(name, terms);
  return terms;
}

function makeTerms(name: string, counts: Counts, idle: number, halfClosed: number): Terms {
  const timeoutName = `idle_${idle}_${halfClosed}`;
  const limited = limitRules(counts, 'route', 'ct mark . ');
  return {
    name,
    chain: { hook: null, rules: [...limited.rules, `ct timeout set "${timeoutName}"`], route: null },
    sets: limited.sets,
    timeout: [
      timeoutName,
      [
        'protocol tcp;',
        `policy = { established : ${idle}, fin_wait : ${halfClosed}, close_wait : ${halfClosed} };`,
      ],
    ],
  };
}

/** What limits all flows together. */
export function sharedTerms(limits: Counts): Pick<Terms, 'chain' | 'sets'> {
  const { rules, sets } = limitRules(reachable(limits), 'all', '');
  return { chain: { hook: null, rules, route: null }, sets };
}

function limitRules(
  { maxConnections, maxConnectionsPerIp, connectionsPerMinutePerIp }: Counts,
  prefix: string,
  key: string,
): { rules: string[]; sets: [string, NftSet][] } {
  const rules: string[] = [];
  const sets: [string, NftSet][] = [];
  const clients = families.map((family) => ({
    family,
    client: `${key}${clientOf(family)}`,
    type: `${key === '' ? '' : 'mark . '}ipv${family}_addr`,
  }));
  if (maxConnectionsPerIp > 0) {
    for (const { family, client, type } of clients) {
      const name = `${prefix}_client_flows_${maxConnectionsPerIp}_ip${family}`;
      sets.push([name, countingSet(type)]);
      rules.push(`add @${name} { ${client} ct count over ${maxConnectionsPerIp} } goto refuse_limit`);
    }
  }
  if (maxConnections > 0 && key === '') rules.push(`ct count over ${maxConnections} goto refuse_limit`);
  else if (maxConnections > 0) {
    const name = `${prefix}_flows_${maxConnections}`;
    sets.push([name, countingSet('mark')]);
    rules.push(`add @${name} { ct mark ct count over ${maxConnections} } goto refuse_limit`);
  }
  // Last: who is refused for something else has not used up anything of his rate.
  if (connectionsPerMinutePerIp > 0) {
    const rate = `limit rate over ${connectionsPerMinutePerIp}/minute burst ${connectionsPerMinutePerIp} packets`;
    for (const { family, client, type } of clients) {
      const name = `${prefix}_client_rate_${connectionsPerMinutePerIp}_ip${family}`;
      sets.push([name, rateSet(type)]);
      rules.push(`update @${name} { ${client} ${rate} } goto refuse_rate`);
    }
  }
  return { rules, sets };
}

export function clientOf(family: Family): string {
  return family === 4 ? 'ip saddr' : 'ip6 saddr';
}

/** The kernel drops an element when its last flow is gone. */
function countingSet(type: string): NftSet {
  return filledByKernel([`type ${type};`, `size ${rememberedClients};`, 'flags dynamic;']);
}

/** After two minutes a budget is whole again, and need not be remembered. */
function rateSet(type: string): NftSet {
  return filledByKernel([
    `type ${type};`,
    `size ${rememberedClients};`,
    'flags dynamic,timeout;',
    'timeout 2m;',
  ]);
}

export function filledByKernel(definition: readonly string[]): NftSet {
  return { kind: 'set', definition, elements: new Map() };
}

function reachable({ maxConnections, maxConnectionsPerIp, connectionsPerMinutePerIp }: Counts): Counts {
  const limit = (count: number) => (count > highestCount ? 0 : count);
  return {
    maxConnections: limit(maxConnections),
    maxConnectionsPerIp: limit(maxConnectionsPerIp),
    connectionsPerMinutePerIp: limit(connectionsPerMinutePerIp),
  };
}

/** Whole seconds; 0 ms is as long as the kernel can wait. */
function seconds(milliseconds: number): number {
  return milliseconds === 0
    ? longestSeconds
    : Math.min(Math.max(1, Math.ceil(milliseconds / 1000)), longestSeconds);
}
