import { type Family, families } from '../config/kernel-route.ts';
import { setLastingEvents, tellFewer } from './closing-chains.ts';
import { formatMark, ownerMask, type Refusal, refusalBits, refusals, routeMark } from './marks.ts';
import type { NftChain } from './ruleset.ts';
import { clientOf } from './terms.ts';

/**
 * The way of a packet through the table:
 *
 *     prerouting, output ─▶ enter ─▶ a first packet: which route? lists, limits      (mark, or RST)
 *                        └▶ closing ─▶ a FIN or RST of a flow of ours                (mark)
 *     prerouting, output (nat) ─▶ translate ─▶ where to?                             (first packets only)
 *     postrouting (nat) ─▶ whose address do targets see?                             (first packets only)
 *
 * The output hooks are for clients and targets on this machine.
 */
export function entryChains(owner: number, routesLoopback: boolean): [string, NftChain][] {
  const ours = `ct mark & ${formatMark(ownerMask)} == ${formatMark(routeMark(owner, 0))}`;
  const notOurs = ours.replace('==', '!=');
  const enter = [
    // Only a connection that begins here: one that a process of this machine has already is not taken over.
    `tcp flags & (fin | syn | rst | ack) == syn ct state new ${notOurs} goto enter`,
    `${ours} goto closing`,
  ];
  return [
    base('prerouting', 'filter', 'prerouting', -150, enter),
    base('output', 'filter', 'output', -150, enter),
    base('translate_prerouting', 'nat', 'prerouting', -101, [`${ours} goto translate`]),
    base('translate_output', 'nat', 'output', -101, [`${ours} goto translate`]),
    base('postrouting', 'nat', 'postrouting', 99, [`${ours} goto source`]),
    chain('enter', [
      'fib daddr type != local return',
      'ct mark set ip daddr . tcp dport . ip saddr map @at_ip4',
      'ct mark set ip6 daddr . tcp dport . ip6 saddr map @at_ip6',
      `${notOurs} ct mark set tcp dport . ip saddr map @anywhere_ip4`,
      `${notOurs} ct mark set tcp dport . ip6 saddr map @anywhere_ip6`,
      `${notOurs} return`,
      setLastingEvents,
      ...families.flatMap((family) => (family === 4 && routesLoopback ? [] : loopbackRules(family))),
      ...families.map((family) => `ct mark . ${clientOf(family)} @blocked_ip${family} goto refuse_blocked`),
      'ct mark @restricted jump restricted_clients',
      tellFewer,
      // The narrowest limit first: for up to two ticks the kernel counts what a later one refused.
      'ct mark vmap @terms',
      'goto everybody',
    ]),
    chain('restricted_clients', [
      ...families.map((family) => `ct mark . ${clientOf(family)} @allowed_ip${family} return`),
      'goto refuse_blocked',
    ]),
    ...(Object.keys(refusals) as Refusal[]).map((refusal) =>
      chain(`refuse_${refusal}`, [
        `update @counts { ct mark | ${formatMark(refusalBits(refusal))} }`,
        'meta l4proto tcp reject with tcp reset',
      ]),
    ),
    chain('translate', [
      'ct mark @routes', // counts
      'meta l4proto tcp dnat ip to ct mark map @targets_ip4',
      'meta l4proto tcp dnat ip6 to ct mark map @targets_ip6',
      'dnat ip to ct mark map @hosts_ip4',
      'dnat ip6 to ct mark map @hosts_ip6',
      'ct mark vmap @several',
    ]),
    chain('source', [
      'oifname "lo" return',
      'ct mark != @kept masquerade',
      // A target would answer a neighbour directly, and the neighbour would not know the answer.
      'ip saddr . ip daddr @neighbours_ip4 masquerade',
      'ip6 saddr . ip6 daddr @neighbours_ip6 masquerade',
      'ip saddr 127.0.0.0/8 masquerade',
      'ip6 saddr ::1 masquerade',
    ]),
  ];
}

/**
 * Packets for or from the loopback neither leave this machine nor enter it: whoever asks for that gets
 * a RST, not silence.
 */
function loopbackRules(family: Family): string[] {
  const loopback = family === 4 ? '127.0.0.0/8' : '::1';
  return [
    `${clientOf(family)} ${loopback} ct mark @far_ip${family} goto refuse_unreachable`,
    `meta nfproto ipv${family} fib saddr type != local ct mark @near_ip${family} goto refuse_unreachable`,
  ];
}

function base(
  name: string,
  type: 'filter' | 'nat',
  hook: string,
  priority: number,
  rules: readonly string[],
): [string, NftChain] {
  const head = `type ${type} hook ${hook} priority ${priority}; policy accept;`;
  return [name, { hook: head, rules, route: null }];
}

function chain(name: string, rules: readonly string[]): [string, NftChain] {
  return [name, { hook: null, rules, route: null }];
}
