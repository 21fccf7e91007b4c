import { sameItems } from '../base/same-items.ts';
import type { NftElement, NftSet, Ruleset } from './ruleset.ts';
import { elementText, Script } from './ruleset-script.ts';

/** How one ruleset becomes another. What stays keeps its counters, and limits go on counting. */
export interface RulesetChange {
  /** The change, in one transaction. Empty where the two are the same. */
  readonly change: Script;
  /** Afterwards, in one of its own: removes what nothing leads to any more. */
  readonly sweep: Script;
  /** Whether `change` is all, and exchanges elements alone. */
  readonly elementsOnly: boolean;
}

/**
 * The maps that lead to a route, by their names. The kernel exchanges maps of intervals one by one, a
 * moment after everything else of a transaction: for that moment the old one still leads to a route that
 * is removed, and so everything that the route needs is removed only later; and the new one must come
 * last, when everything is there that it leads to.
 */
const placements = /^(at|anywhere)_ip[46]$/;

/** Both rulesets are of one table. */
export function changeRuleset(before: Ruleset, after: Ruleset): RulesetChange {
  const [change, sweep] = [new Script(), new Script()];
  const table = `inet ${after.table}`;
  addWhatIsNew(change, table, before, after);
  for (const [name, { rules, route }] of after.chains) {
    const former = before.chains.get(name);
    if (former !== undefined && sameItems(former.rules, rules)) continue;
    if (former !== undefined) change.add(`flush chain ${table} ${name}`, route);
    for (const rule of rules) change.add(`add rule ${table} ${name} ${rule}`, route);
  }
  const isStructural = !change.empty;
  const routes = new Set([...(after.sets.get('routes')?.elements.values() ?? [])].map(({ route }) => route));
  const sets = [...after.sets].sort(([a], [b]) => Number(placements.test(a)) - Number(placements.test(b)));
  for (const [name, set] of sets) {
    const isStale = ({ route }: NftElement): boolean =>
      route !== null && !routes.has(route) && !placements.test(name);
    changeElements({ change, sweep, isStale }, `${table} ${name}`, before.sets.get(name), set);
  }
  removeWhatIsGone(sweep, table, before, after);
  return { change, sweep, elementsOnly: !isStructural && sweep.empty };
}

/** The same table, in which nothing leads to a route: nothing new is forwarded. */
export function withoutPlacements(ruleset: Ruleset): Ruleset {
  const sets = [...ruleset.sets].map(
    ([name, set]) => [name, placements.test(name) ? { ...set, elements: new Map() } : set] as const,
  );
  return { ...ruleset, sets: new Map(sets) };
}

/** Before anything refers to it. */
function addWhatIsNew(script: Script, table: string, before: Ruleset, after: Ruleset): void {
  for (const [name, lines] of after.timeouts) {
    if (!before.timeouts.has(name)) script.add(`add ct timeout ${table} ${name} { ${lines.join(' ')} }`);
  }
  for (const [name, { route }] of after.chains) {
    if (!before.chains.has(name)) script.add(`add chain ${table} ${name}`, route);
  }
  for (const [name, { kind, definition }] of after.sets) {
    if (!before.sets.has(name)) script.add(`add ${kind} ${table} ${name} { ${definition.join(' ')} }`);
  }
}

/** After nothing refers to it any more: rules let go of chains, sets and timeouts as they are flushed. */
function removeWhatIsGone(script: Script, table: string, before: Ruleset, after: Ruleset): void {
  const chains = [...before.chains.keys()].filter((name) => !after.chains.has(name));
  for (const name of chains) script.add(`flush chain ${table} ${name}`);
  for (const name of chains) script.add(`delete chain ${table} ${name}`);
  for (const [name, { kind }] of before.sets)
    if (!after.sets.has(name)) script.add(`delete ${kind} ${table} ${name}`);
  for (const name of before.timeouts.keys())
    if (!after.timeouts.has(name)) script.add(`delete ct timeout ${table} ${name}`);
}

interface ElementScripts {
  readonly change: Script;
  readonly sweep: Script;
  /** Whether an element that goes is one that nothing will lead to. */
  isStale(element: NftElement): boolean;
}

function changeElements(
  { change, sweep, isStale }: ElementScripts,
  set: string,
  before: NftSet | undefined,
  after: NftSet,
): void {
  const former = before?.elements ?? new Map<string, NftElement>();
  const gone = [...former].filter(([key, element]) => !same(element, after.elements.get(key)));
  const fresh = [...after.elements].filter(([key, element]) => !same(element, former.get(key)));
  const [stale, changed] = partition(gone, ([key, element]) => isStale(element) && !after.elements.has(key));
  addElements(
    change,
    `delete element ${set}`,
    changed.map(([key, { route }]) => [key, route]),
  );
  addElements(
    change,
    `add element ${set}`,
    fresh.map(([key, element]) => [elementText(key, element), element.route]),
  );
  addElements(
    sweep,
    `delete element ${set}`,
    stale.map(([key, { route }]) => [key, route]),
  );
}

function addElements(
  script: Script,
  command: string,
  elements: readonly (readonly [text: string, route: string | null])[],
): void {
  if (elements.length === 0) return;
  script.add(`${command} {`);
  for (const [text, route] of elements) script.add(`  ${text},`, route);
  script.add('}');
}

function partition<Item>(items: readonly Item[], test: (item: Item) => boolean): [Item[], Item[]] {
  const groups = Map.groupBy(items, test);
  return [groups.get(true) ?? [], groups.get(false) ?? []];
}

function same(one: NftElement, other: NftElement | undefined): boolean {
  return other !== undefined && one.value === other.value && one.comment === other.comment;
}
