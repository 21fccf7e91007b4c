import type { NftElement, NftSet, Ruleset } from './ruleset.ts';

/** Text for `nft -f`, and for each of its lines the route that it is there for. */
export class Script {
  readonly #lines: string[] = [];
  readonly #routes: (string | null)[] = [];

  /** One after the other. */
  static joined(...scripts: readonly Script[]): Script {
    const joined = new Script();
    for (const script of scripts)
      for (const [i, line] of script.#lines.entries()) joined.add(line, script.#routes[i] ?? null);
    return joined;
  }

  add(line: string, route: string | null = null): void {
    this.#lines.push(line);
    this.#routes.push(route);
  }

  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }

  get empty(): boolean {
    return this.#lines.length === 0;
  }

  /** The route that a line is there for, counted from 1 as nft does; null: for none in particular. */
  routeOf(line: number): string | null {
    return this.#routes[line - 1] ?? null;
  }
}

/** The whole table in one transaction, in place of whatever table has its name. */
export function wholeScript(ruleset: Ruleset): Script {
  const script = new Script();
  script.add(`table inet ${ruleset.table}`);
  script.add(`delete table inet ${ruleset.table}`);
  addTable(script, ruleset);
  return script;
}

/** The table alone, for people. */
export function tableText(ruleset: Ruleset): string {
  const script = new Script();
  addTable(script, ruleset);
  return script.text;
}

function addTable(script: Script, { table, comment, timeouts, sets, chains }: Ruleset): void {
  script.add(`table inet ${table} {`);
  script.add(`  comment "${comment}"`);
  for (const [name, lines] of timeouts) addBlock(script, `ct timeout ${name}`, lines);
  for (const [name, set] of sets) addSet(script, name, set);
  for (const [name, { hook, rules, route }] of chains)
    addBlock(script, `chain ${name}`, [...(hook === null ? [] : [hook]), ...rules], route);
  script.add('}');
}

function addBlock(script: Script, head: string, lines: readonly string[], route: string | null = null): void {
  script.add('', route);
  script.add(`  ${head} {`, route);
  for (const line of lines) script.add(`    ${line}`, route);
  script.add('  }', route);
}

function addSet(script: Script, name: string, { kind, definition, elements }: NftSet): void {
  script.add('');
  script.add(`  ${kind} ${name} {`);
  for (const line of definition) script.add(`    ${line}`);
  if (elements.size > 0) {
    script.add('    elements = {');
    for (const [key, element] of elements) script.add(`      ${elementText(key, element)},`, element.route);
    script.add('    }');
  }
  script.add('  }');
}

export function elementText(key: string, { value, comment }: NftElement): string {
  const noted = comment === null ? key : `${key} comment "${comment}"`;
  return value === null ? noted : `${noted} : ${value}`;
}
