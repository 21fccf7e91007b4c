import { tableName } from './compile-ruleset.ts';
import { deleteFlows } from './conntrack-command.ts';
import { ownerFilter } from './marks.ts';
import { deleteTable } from './nft-command.ts';
import { type OwnedTable, ownedTables } from './table-owner.ts';

/** Removes every table that SmartProxy made, whoever uses it, and the flows that it forwarded. */
export async function cleanTables(): Promise<(OwnedTable & { readonly table: string })[]> {
  const tables = await ownedTables();
  for (const { instance, owner } of tables) {
    await deleteTable(tableName(instance));
    await deleteFlows(ownerFilter(owner));
  }
  return tables.map((table) => ({ ...table, table: tableName(table.instance) }));
}
