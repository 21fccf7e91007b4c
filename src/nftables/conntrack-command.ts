import { SmartProxyError } from '../base/errors.ts';
import { notPermitted } from './nft-command.ts';
import { type ProgramResult, runProgram } from './run-program.ts';

/** Makes connection tracking forget all flows with these marks: both ends get a RST with their next packet. */
export async function deleteFlows(markFilter: string): Promise<void> {
  const result = await runProgram('conntrack', ['-D', '-m', markFilter], { onOutput: () => {} });
  // 1 is also what it says where there was none.
  if (result.code !== 0 && !/0 flow entries have been deleted/.test(result.err)) throw failure(result);
}

function failure({ err, code }: ProgramResult): SmartProxyError {
  if (/Operation not permitted|must be root|root privileges/.test(err)) return notPermitted();
  const message = err.trim().split('\n').at(-1) || `it ended with ${code}`;
  return new SmartProxyError('nftables-program-failed', `conntrack: ${message}`, {
    source: 'kernel',
    retryable: true,
  });
}
