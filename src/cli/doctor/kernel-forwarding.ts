import { errorCode, errorMessage } from '../../base/errors.ts';
import type { ResolvedRoute } from '../../config/resolved.ts';
import { listed } from '../../nftables/nft-command.ts';
import { runProgram } from '../../nftables/run-program.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** Whether the kernel can forward, where a route asks for it. */
export async function checkKernelForwarding(
  routes: readonly ResolvedRoute[],
  sysctl: (name: string) => string | undefined,
): Promise<Finding[]> {
  const asking = routes.filter(({ action }) => action.type === 'forward' && action.engine === 'nftables');
  if (asking.length === 0) return [];
  return [
    await attempt('nftables', 'nft can be run, and may change rules', () => listed(['tables'])),
    await attempt('conntrack', 'conntrack is there', () => runProgram('conntrack', ['--version'])),
    checkForwarding(sysctl('net.ipv4.ip_forward')),
  ];
}

async function attempt(check: string, message: string, work: () => Promise<unknown>): Promise<Finding> {
  try {
    await work();
    return ok(check, message);
  } catch (error) {
    return problem(check, errorMessage(error), `see ${errorCode(error) ?? 'nftables'} in docs/errors.md`);
  }
}

function checkForwarding(value: string | undefined): Finding {
  if (value === '1') return ok('ip-forward', 'the kernel forwards packets');
  return warning(
    'ip-forward',
    'the kernel forwards no packets to other machines',
    'sysctl -w net.ipv4.ip_forward=1',
  );
}
