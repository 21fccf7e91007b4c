import { processEnvironment } from '../config/environment.ts';
import { resolveOptions } from '../config/resolve.ts';
import { cleanTables } from '../nftables/clean.ts';
import { machineNetworks } from '../nftables/machine-networks.ts';
import { showRuleset } from '../nftables/show.ts';
import { type ConfigurationChoice, configurationSource, namingFile } from './configuration.ts';
import type { Terminal } from './terminal.ts';

/** `smartproxy nftables show`: the table that the configuration compiles to. Needs no privilege. */
export async function show(choice: ConfigurationChoice, terminal: Terminal): Promise<void> {
  const source = configurationSource(choice);
  const text = await namingFile(source.file, async () => {
    const { options } = resolveOptions((await source.read()).input, processEnvironment());
    return showRuleset(options, machineNetworks());
  });
  terminal.out(text ?? "# no route has engine 'nftables': there is no table\n");
}

/** `smartproxy nftables clean`: removes every table that SmartProxy made, and what its flows left. */
export async function clean(terminal: Terminal): Promise<void> {
  const removed = await cleanTables();
  if (removed.length === 0) terminal.out('there is no table of SmartProxy\n');
  for (const { table, process, inUse } of removed)
    terminal.out(`removed inet ${table}${inUse ? ` (process ${process} was using it)` : ''}\n`);
}
