import { SmartProxyError } from '../base/errors.ts';
import { Script } from './ruleset-script.ts';
import { type ProgramResult, runProgram } from './run-program.ts';

/** Loads a script in one transaction: all of it, or none. Rejects with what nft says, and for which route. */
export async function loadScript(script: Script): Promise<void> {
  await run(script, ['-f', '-']);
}

/** Asks the kernel whether it would take a script. Nothing is changed. */
export async function checkScript(script: Script): Promise<void> {
  await run(script, ['-c', '-f', '-']);
}

async function run(script: Script, args: readonly string[]): Promise<void> {
  if (script.empty) return;
  const result = await runProgram('nft', args, { input: script.text });
  if (result.code !== 0) throw refusal(result, script);
}

/** What `nft list …` prints, or undefined where there is no such thing. Rejects for every other reason. */
export async function listed(
  what: readonly string[],
  flags: readonly string[] = [],
): Promise<string | undefined> {
  const result = await runProgram('nft', [...flags, 'list', ...what]);
  if (result.code === 0) return result.out;
  if (/No such file or directory/.test(result.err)) return undefined;
  throw refusal(result, null);
}

/** Removes a table and everything in it; no matter where it has gone already. */
export async function deleteTable(table: string): Promise<void> {
  const script = new Script();
  script.add(`table inet ${table}`);
  script.add(`delete table inet ${table}`);
  await loadScript(script);
}

/** The first error that nft tells, with the route whose line it points at. */
function refusal({ err, code }: ProgramResult, script: Script | null): SmartProxyError {
  if (/Operation not permitted|must be root/.test(err)) return notPermitted();
  const [, line, text] = /^\S*?:(\d+):[\d-]+: Error: (.*)$/m.exec(err) ?? [];
  const message = text ?? (err.trim().split('\n')[0] || `nft ended with ${code}`);
  const route = script?.routeOf(Number(line)) ?? null;
  const place = route === null ? '' : ` for route '${route}'`;
  return new SmartProxyError('nftables-refused', `the kernel does not take the rules${place}: ${message}`, {
    source: 'kernel',
    cause: new Error(err.trim()),
  });
}

export function notPermitted(): SmartProxyError {
  return new SmartProxyError(
    'nftables-not-permitted',
    "engine 'nftables' needs root or CAP_NET_ADMIN: run as root, or grant it " +
      '(systemd: AmbientCapabilities=CAP_NET_ADMIN; in a container: docker run --cap-add NET_ADMIN)',
    { source: 'config' },
  );
}
