import { AddressSet } from '../base/prefix-trie.ts';
import { addressRank } from '../config/neighbours.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import type { Criterion } from './contest.ts';
import { clientRank, list } from './specificity.ts';

/** What connections and requests have in common. */
export interface ClientQuery {
  readonly clientIp: string;
  readonly alpn: readonly string[];
}

export const byPriority: Criterion<ClientQuery> = {
  compare: (a, b) => a.priority - b.priority,
  describe: (loser, winner) => `priority ${loser.priority} is below ${winner.priority} of ${winner.name}`,
};

export const byClient: Criterion<ClientQuery> = {
  compare: (a, b, { clientIp }) => clientRank(a, clientIp) - clientRank(b, clientIp),
  describe: (_loser, winner) =>
    `${winner.name} names the client more exactly (${list(winner.match.clientIp ?? [])})`,
};

export const byAlpn: Criterion<ClientQuery> = {
  compare: (a, b) => Number(a.match.alpn !== null) - Number(b.match.alpn !== null),
  describe: (_loser, winner) => `${winner.name} asks for ALPN ${list(winner.match.alpn ?? [])}`,
};

export const byAddress: Criterion<ClientQuery> = {
  compare: (a, b) => addressRank(a) - addressRank(b),
  describe: (_loser, winner) => `${winner.name} listens on ${winner.match.address} alone`,
};

export const byOrder: Criterion<ClientQuery> = {
  compare: (a, b) => b.order - a.order,
  describe: (_loser, winner) => `${winner.name} is as specific and comes first in the configuration`,
};

/** Why a client cannot take a route, or null where it can. */
export function clientMismatch({ match }: ResolvedRoute, { clientIp, alpn }: ClientQuery): string | null {
  if (match.clientIp !== null && !new AddressSet(match.clientIp).has(clientIp)) {
    return `the client ${clientIp} is not in ${list(match.clientIp)}`;
  }
  if (match.alpn !== null && !match.alpn.some((protocol) => alpn.includes(protocol))) {
    const offer = alpn.length === 0 ? 'no ALPN' : list(alpn);
    return `it asks for ALPN ${list(match.alpn)}, and the client offers ${offer}`;
  }
  return null;
}
