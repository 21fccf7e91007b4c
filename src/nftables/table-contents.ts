import { tableName } from './compile-ruleset.ts';
import { type Refusal, readMark, readRefusal } from './marks.ts';
import { listed } from './nft-command.ts';

/** An element of a set of marks, as nft lists it. */
const element = /0x([0-9a-f]{8})(?: counter packets (\d+) bytes \d+)?(?: comment "([0-9a-f]+)")?/g;

/** The numbers of routes in a table that is there, by the digest of the name. */
export async function numbersInTable(instance: string): Promise<Map<string, number>> {
  const text = (await listed(['set', 'inet', tableName(instance), 'routes'])) ?? '';
  const numbers = new Map<string, number>();
  for (const [, mark = '', , digest] of text.matchAll(element))
    if (digest !== undefined) numbers.set(digest, readMark(Number.parseInt(mark, 16)).route);
  return numbers;
}

export interface RefusalCount {
  readonly route: number;
  readonly refusal: Refusal;
  readonly count: number;
}

/** Since the table was loaded. */
export interface TableCounts {
  /** Connections that each route has refused. */
  readonly refused: readonly RefusalCount[];
  /** Packets that began or ended a flow, among too many for events of each. */
  readonly untold: number;
}

/** Undefined: the table is gone. */
export async function countsInTable(instance: string): Promise<TableCounts | undefined> {
  const text = await listed(['set', 'inet', tableName(instance), 'counts']);
  if (text === undefined) return undefined;
  const refused: RefusalCount[] = [];
  let untold = 0;
  for (const [, mark = '', packets] of text.matchAll(element)) {
    const count = Number(packets ?? 0);
    const read = readRefusal(Number.parseInt(mark, 16));
    if (read === undefined) untold += count;
    else refused.push({ ...read, count });
  }
  return { refused, untold };
}
