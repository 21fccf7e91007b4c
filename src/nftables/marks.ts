/**
 * The mark of connection tracking (`ct mark`, 32 bits) says everything that this project needs to
 * know of a flow. The kernel sets it from the ruleset, and tells it with every event:
 *
 *     owner, 8 bits │ over, 1 │ closing, 3 │ number of the route, 20
 *
 * The owner tells the flows of one SmartProxy from those of another and of everybody else.
 */
export const ownerMask = 0xff000000 >>> 0;
export const overBit = 0x00800000;
export const closingMask = 0x00700000;
const numberMask = 0x000fffff;
const closingShift = 20;
const ownerShift = 24;

export const highestRouteNumber = numberMask;

/** How a flow began to end, as the mark says it. `over` beside it: both sides sent FIN, or one a RST. */
export const closing = {
  open: 0,
  clientFin: 1,
  targetFin: 2,
  /** The client's FIN, then the target's. */
  clientFirst: 3,
  targetFirst: 4,
  /** A RST without a FIN before it. */
  clientReset: 5,
  targetReset: 6,
} as const;

export type Closing = (typeof closing)[keyof typeof closing];

/** What was too much to be told is counted beside refusals: by the owner alone, which is nobody's reason. */
export const untoldKey = `ct mark & ${formatMark(ownerMask)}`;

/** Why a connection never became a flow. Beside its route's mark, in the place of `closing`. */
export const refusals = { blocked: 1, limit: 2, rate: 3, unreachable: 4 } as const;

export type Refusal = keyof typeof refusals;

/** The bits of a reason; none for a number that is no reason. */
export function refusalBits(refusal: Refusal): number {
  return refusals[refusal] << closingShift;
}

/** What a mark with the bits of a reason says. */
export function readRefusal(mark: number): { route: number; refusal: Refusal } | undefined {
  const reason = (mark & closingMask) >>> closingShift;
  const [refusal] = Object.entries(refusals).find(([, number]) => number === reason) ?? [];
  return refusal === undefined ? undefined : { route: mark & numberMask, refusal: refusal as Refusal };
}

/** Marks as nft and conntrack read them. */
export function formatMark(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`;
}

export function closingBits(state: Closing): number {
  return state << closingShift;
}

export interface FlowMark {
  readonly owner: number;
  readonly over: boolean;
  readonly closing: Closing;
  readonly route: number;
}

export function readMark(mark: number): FlowMark {
  return {
    owner: mark >>> ownerShift,
    over: (mark & overBit) !== 0,
    closing: ((mark & closingMask) >>> closingShift) as Closing,
    route: mark & numberMask,
  };
}

/** The mark of a new flow. */
export function routeMark(owner: number, route: number): number {
  return ((owner << ownerShift) | route) >>> 0;
}

/** All marks of an owner, as `-m` of conntrack takes them. */
export function ownerFilter(owner: number): string {
  return `${formatMark(routeMark(owner, 0))}/${formatMark(ownerMask)}`;
}

/** All flows of one route of an owner. */
export function routeFilter(owner: number, route: number): string {
  return `${formatMark(routeMark(owner, route))}/${formatMark((ownerMask | numberMask) >>> 0)}`;
}

/** Those of its flows that are over, whether or not the kernel has forgotten them. */
export function overFilter(owner: number): string {
  return `${formatMark(routeMark(owner, 0) | overBit)}/${formatMark((ownerMask | overBit) >>> 0)}`;
}

/** … and those that are not. */
export function livingFilter(owner: number): string {
  return `${formatMark(routeMark(owner, 0))}/${formatMark((ownerMask | overBit) >>> 0)}`;
}

/** Below 0x80, so that a mark is a small integer in JavaScript and no other tool prints it with a sign. */
const lowestOwner = 0x40;
const owners = 0x40;

/**
 * The owner's number for an instance: the same at every start, unless another table has it.
 * @param taken those of other tables of this machine
 */
export function chooseOwner(instance: string, taken: ReadonlySet<number>): number | undefined {
  let hash = 0;
  for (const character of instance) hash = (hash * 31 + character.charCodeAt(0)) % owners;
  for (let step = 0; step < owners; step++) {
    const owner = lowestOwner + ((hash + step) % owners);
    if (!taken.has(owner)) return owner;
  }
  return undefined;
}
