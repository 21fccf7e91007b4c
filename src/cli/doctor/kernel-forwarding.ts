import { errorCode, errorMessage } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { isKernelRoute, type KernelRoute } from '../../config/kernel-route.ts';
import type { ResolvedOptions } from '../../config/resolved.ts';
import { listed } from '../../nftables/nft-command.ts';
import { checkForwarding } from '../../nftables/requirements.ts';
import { runProgram } from '../../nftables/run-program.ts';
import { type Finding, ok, problem } from './finding.ts';

/** Whether the kernel can forward, where a route asks for it. */
export async function checkKernelForwarding({ routes, nftables }: ResolvedOptions): Promise<Finding[]> {
  const asking = routes.filter(isKernelRoute);
  if (asking.length === 0) return [];
  return [
    await attempt('nftables', 'nft can be run, and may change rules', () => listed(['tables'])),
    await attempt('conntrack', 'conntrack is there', () => runProgram('conntrack', ['--version'])),
    // Otherwise the start sets what is missing.
    ...(nftables.manageSysctls ? [] : [await checkSettings(asking)]),
  ];
}

/** As a start does, which would be refused. */
function checkSettings(routes: readonly KernelRoute[]): Promise<Finding> {
  const check = async () => checkForwarding(routes, false, silentLogger);
  return attempt('ip-forward', 'the kernel forwards where a route needs it to', check);
}

async function attempt(check: string, message: string, work: () => Promise<unknown>): Promise<Finding> {
  try {
    await work();
    return ok(check, message);
  } catch (error) {
    return problem(check, errorMessage(error), `see ${errorCode(error) ?? 'nftables'} in docs/errors.md`);
  }
}
