import type { NftElement, NftSet, Ruleset } from './ruleset.ts';
import { elementText, Script } from './ruleset-script.ts';

/**
 * Makes one ruleset of another, in one transaction that touches nothing else: what stays keeps its
 * counters, and limits go on counting. Both have the same table. Empty where they are the same.
 */
export function changeScript(before: Ruleset, after: Ruleset): Script {
  const script = new Script();
  const table = `inet ${after.table}`;
  addWhatIsNew(script, table, before, after);
  for (const [name, { rules, route }] of after.chains) {
    const former = before.chains.get(name);
    if (former !== undefined && sameTexts(former.rules, rules)) continue;
    if (former !== undefined) script.add(`flush chain ${table} ${name}`, route);
    for (const rule of rules) script.add(`add rule ${table} ${name} ${rule}`, route);
  }
  for (const [name, set] of after.sets)
    changeElements(script, `${table} ${name}`, before.sets.get(name), set);
  removeWhatIsGone(script, table, before, after);
  return script;
}

/** The same table, in which no look-up finds anything: nothing new is forwarded. */
export function withoutElements(ruleset: Ruleset): Ruleset {
  const sets = [...ruleset.sets].map(([name, set]) => [name, { ...set, elements: new Map() }] as const);
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

function changeElements(script: Script, set: string, before: NftSet | undefined, after: NftSet): void {
  const former = before?.elements ?? new Map<string, NftElement>();
  const gone = [...former].filter(([key, element]) => !same(element, after.elements.get(key)));
  const fresh = [...after.elements].filter(([key, element]) => !same(element, former.get(key)));
  addElements(
    script,
    `delete element ${set}`,
    gone.map(([key, { route }]) => [key, route]),
  );
  addElements(
    script,
    `add element ${set}`,
    fresh.map(([key, element]) => [elementText(key, element), element.route]),
  );
}

function addElements(
  script: Script,
  command: string,
  elements: readonly (readonly [string, string | null])[],
): void {
  if (elements.length === 0) return;
  script.add(`${command} {`);
  for (const [text, route] of elements) script.add(`  ${text},`, route);
  script.add('}');
}

function same(one: NftElement, other: NftElement | undefined): boolean {
  return other !== undefined && one.value === other.value && one.comment === other.comment;
}

function sameTexts(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, i) => text === other[i]);
}
