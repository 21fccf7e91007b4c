import {
  type Closing,
  closing,
  closingBits,
  closingMask,
  formatMark,
  overBit,
  ownerMask,
  routeMark,
  untoldKey,
} from './marks.ts';
import type { NftChain } from './ruleset.ts';

/** Events that connection tracking tells of every flow. */
const lasting = 'new,destroy,assured';

/** … and from its end on: the change into TIME_WAIT or CLOSE. */
const withState = `${lasting},protoinfo`;

export const setLastingEvents = `ct event set ${lasting}`;

/**
 * What is told of beginnings and ends, in packets per second: both sides send one or two after the last
 * FIN. Whoever reads can follow this; of more, much would be lost, and reading would take the processor
 * from those that are forwarded.
 */
const toldBeginnings = 'limit rate over 1500/second burst 300 packets';
const toldEnds = 'limit rate over 3000/second burst 600 packets';

/** Of a beginning among too many the kernel tells nothing before it forgets the flow: that says it all. */
export const tellFewer = `${toldBeginnings} jump crowded`;

/**
 * How the kernel notes in the mark of a flow who closed it, and how. Of all changes of a flow's state
 * only the last is worth an event: TIME_WAIT is told because the packet after both FINs switches events
 * of the state on, CLOSE because a RST does. Four events for each flow in place of eight; one for each
 * of those that are too many.
 */
export function closingChains(owner: number): [string, NftChain][] {
  const both = formatMark((routeMark(owner, 0) | overBit) >>> 0);
  const ownerAndOver = formatMark((ownerMask | overBit) >>> 0);
  const closingState = `ct mark & ${formatMark(closingMask)}`;
  return [
    chain('closing', [
      'tcp flags & (fin | rst) vmap { 0x0 : goto after_both, fin : goto fin, rst : goto rst, fin | rst : goto rst }',
    ]),
    chain('after_both', [`ct mark & ${ownerAndOver} == ${both} goto tell_end`]),
    chain('tell_end', [`${toldEnds} goto leave_untold`, `ct event set ${withState}`]),
    chain('leave_untold', [`update @counts { ${untoldKey} }`]),
    chain('crowded', ['ct event set destroy', 'goto leave_untold']),
    chain('fin', ['ct direction original goto client_fin', 'goto target_fin']),
    chain('client_fin', [
      `${closingState} vmap { ${bits(closing.open)} : goto first_fin_client, ${bits(closing.targetFin)} : goto second_fin_client }`,
    ]),
    chain('target_fin', [
      `${closingState} vmap { ${bits(closing.open)} : goto first_fin_target, ${bits(closing.clientFin)} : goto second_fin_target }`,
    ]),
    chain('first_fin_client', [setClosing(closing.clientFin)]),
    chain('first_fin_target', [setClosing(closing.targetFin)]),
    chain('second_fin_client', [setClosing(closing.targetFirst, overBit)]),
    chain('second_fin_target', [setClosing(closing.clientFirst, overBit)]),
    chain('rst', [
      'jump tell_end',
      `ct mark & ${formatMark(overBit)} != 0 return`,
      `${closingState} != 0 ct mark set ct mark | ${formatMark(overBit)} return`,
      'ct direction original goto reset_by_client',
      'goto reset_by_target',
    ]),
    chain('reset_by_client', [setClosing(closing.clientReset, overBit)]),
    chain('reset_by_target', [setClosing(closing.targetReset, overBit)]),
  ];
}

function setClosing(state: Closing, over = 0): string {
  const kept = formatMark(~(closingMask | overBit) >>> 0);
  return `ct mark set ct mark & ${kept} ^ ${formatMark(closingBits(state) | over)}`;
}

function bits(state: Closing): string {
  return formatMark(closingBits(state));
}

function chain(name: string, rules: readonly string[]): [string, NftChain] {
  return [name, { hook: null, rules, route: null }];
}
