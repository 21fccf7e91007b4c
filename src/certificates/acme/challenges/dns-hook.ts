import { execFile } from 'node:child_process';
import type { Clock } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';
import type { DnsHook } from '../../../config/resolved.ts';
import { AcmeError } from '../protocol/acme-error.ts';

/** Some services need a minute; what takes longer is stuck. */
const hookMs = 120_000;
const maxOutputBytes = 16_384;

/** How records are set: as configured, with a deadline and an error that says what happened. */
export function dnsHook(dns: { readonly command: string } | DnsHook, clock: Clock): DnsHook {
  const hook = 'command' in dns ? commandHook(dns.command) : dns;
  return {
    present: (name, value) => bounded(`setting ${name}`, () => hook.present(name, value), clock),
    remove: (name, value) => bounded(`removing ${name}`, () => hook.remove(name, value), clock),
  };
}

/** Runs `COMMAND present NAME VALUE` and `COMMAND remove NAME VALUE`, by a shell so that the command may have words of its own. */
function commandHook(command: string): DnsHook {
  const run = (what: string, name: string, value: string) =>
    new Promise<void>((resolve, reject) => {
      // Name and value are arguments and never a part of the shell's text.
      const args = ['-c', `${command} "$@"`, 'dns-hook', what, name, value];
      execFile('/bin/sh', args, { timeout: hookMs, maxBuffer: maxOutputBytes }, (error, out, err) => {
        if (error === null) resolve();
        else reject(new Error(failureOf(error, err.trim() || out.trim()), { cause: error }));
      });
    });
  return {
    present: (name, value) => run('present', name, value),
    remove: (name, value) => run('remove', name, value),
  };
}

function failureOf(error: { code?: unknown; killed?: boolean | undefined }, output: string): string {
  const how = error.killed ? `did not end within ${hookMs / 1000} s` : `ended with ${error.code}`;
  const said = output.split('\n').slice(-3).join(' ').slice(-300);
  return said === '' ? `it ${how}` : `it ${how}: ${said}`;
}

async function bounded(what: string, work: () => Promise<void>, clock: Clock): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = clock.setTimer(hookMs, () => reject(new Error(`it took over ${hookMs / 1000} s`)));
  try {
    await Promise.race([work(), late]);
  } catch (error) {
    throw new AcmeError('challenge-unavailable', `the DNS hook failed ${what}: ${errorMessage(error)}`, {
      cause: error,
    });
  } finally {
    timer.cancel();
  }
}
