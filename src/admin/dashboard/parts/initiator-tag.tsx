import type { Initiator } from '../../../base/termination.ts';
import { initiatorNames } from '../words/initiators.ts';

/** Whose doing an ending was. */
export function InitiatorTag({ initiator }: { initiator: Initiator }) {
  return <span class={`tag tag-${initiator}`}>by {initiatorNames[initiator]}</span>;
}
