import { SmartProxyError } from '../base/errors.ts';
import { tableName } from './compile-ruleset.ts';
import { chooseOwner } from './marks.ts';
import { RouteNumbers } from './route-numbers.ts';
import { numbersInTable } from './table-contents.ts';
import { ownedTables, ownerComment, ownerOfTable, thisProcess } from './table-owner.ts';

/** What this process calls its own: the table's name, and the marks of its flows. */
export interface TableClaim {
  readonly instance: string;
  readonly owner: number;
  readonly comment: string;
  readonly numbers: RouteNumbers;
}

/**
 * The claim to the table of an instance. Where a process that is gone left one behind, its marks and
 * numbers go on, so that its flows are known (N1). Rejects where the name is somebody else's.
 */
export async function claimTable(instance: string): Promise<TableClaim> {
  const found = await ownerOfTable(instance);
  if (found === null) throw foreign(instance);
  if (found?.inUse) throw inUse(instance, found.process);
  const owner = found?.owner ?? (await freeOwner(instance));
  const numbers = new RouteNumbers(found === undefined ? new Map() : await numbersInTable(instance));
  return { instance, owner, comment: ownerComment(thisProcess(instance, owner)), numbers };
}

async function freeOwner(instance: string): Promise<number> {
  const owner = chooseOwner(instance, new Set((await ownedTables()).map((table) => table.owner)));
  if (owner !== undefined) return owner;
  throw new SmartProxyError(
    'nftables-table-in-use',
    'there are as many tables of SmartProxy as there can be: remove those of processes that are gone (smartproxy nftables clean)',
    { source: 'config' },
  );
}

function foreign(instance: string): SmartProxyError {
  return new SmartProxyError(
    'nftables-table-foreign',
    `there is a table inet ${tableName(instance)} that SmartProxy did not make: write another nftables.instance, or remove it (nft delete table inet ${tableName(instance)})`,
    { source: 'config' },
  );
}

function inUse(instance: string, pid: number): SmartProxyError {
  return new SmartProxyError(
    'nftables-table-in-use',
    `process ${pid} has the table inet ${tableName(instance)}: write an nftables.instance of its own for this one`,
    { source: 'config' },
  );
}
