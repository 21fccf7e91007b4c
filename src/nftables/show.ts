import { isKernelRoute } from '../config/kernel-route.ts';
import type { ResolvedOptions } from '../config/resolved.ts';
import { compileRuleset, type MachineNetworks, type RulesetInput } from './compile-ruleset.ts';
import { chooseOwner } from './marks.ts';
import { RouteNumbers } from './route-numbers.ts';
import { tableText } from './ruleset-script.ts';
import { ownerComment } from './table-owner.ts';

/** The part of a ruleset's input that is in the configuration. */
export function configuredInput({ routes, limits, nftables }: ResolvedOptions) {
  return {
    instance: nftables.instance,
    routes: routes.filter(isKernelRoute),
    limits: { ...limits, maxConnections: nftables.maxFlows },
  } satisfies Partial<RulesetInput>;
}

/** The table that a configuration compiles to, where no table was before; null where no route asks for one. */
export function showRuleset(options: ResolvedOptions, machine: MachineNetworks): string | null {
  const configured = configuredInput(options);
  if (configured.routes.length === 0) return null;
  const { instance, routes } = configured;
  const owner = chooseOwner(instance, new Set()) ?? 0;
  const numbers = new RouteNumbers().assign(routes.map(({ name }) => name));
  const comment = ownerComment({ instance, owner, process: 0, since: '0' });
  return tableText(compileRuleset({ ...configured, owner, comment, numbers, machine }));
}
