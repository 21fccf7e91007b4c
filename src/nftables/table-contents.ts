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

/** How many connections each route has refused since the table was loaded; undefined: the table is gone. */
export async function refusalsInTable(instance: string): Promise<RefusalCount[] | undefined> {
  const text = await listed(['set', 'inet', tableName(instance), 'refused']);
  if (text === undefined) return undefined;
  return [...text.matchAll(element)].flatMap(([, mark = '', packets]) => {
    const read = readRefusal(Number.parseInt(mark, 16));
    return read === undefined ? [] : [{ ...read, count: Number(packets ?? 0) }];
  });
}
