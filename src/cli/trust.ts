import { getuid } from 'node:process';
import { systemClock } from '../base/clock.ts';
import { SmartProxyError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { authorityFiles, openLocalAuthority } from '../certificates/authority-folder.ts';
import {
  distrustOnDebian,
  type TrustedAuthority,
  type TrustStep,
  trustedAuthority,
  trustOnDebian,
  trustSteps,
} from '../certificates/trust.ts';
import { processEnvironment } from '../config/environment.ts';
import { findConfiguration } from '../config/load.ts';
import { resolveOptions } from '../config/resolve.ts';
import { configurationSource, namingFile } from './configuration.ts';
import { json, type Terminal } from './terminal.ts';

export interface TrustChoice {
  config?: string | undefined;
  stateDirectory?: string | undefined;
  install?: boolean | undefined;
  remove?: boolean | undefined;
  json?: boolean | undefined;
}

/**
 * `smartproxy trust`: how to make programs trust the local authority, which is made where there is
 * none yet. With `--install` and `--remove` root does it, or undoes it, for a Debian system.
 */
export async function trust(choice: TrustChoice, terminal: Terminal): Promise<void> {
  if (choice.install && choice.remove) throw usage('--install and --remove exclude each other');
  const stateDirectory = await stateDirectoryOf(choice);
  const log = warningsTo(terminal);
  const authority = trustedAuthority(
    await openLocalAuthority({ stateDirectory, clock: systemClock, log }),
    authorityFiles(stateDirectory).certificate,
  );
  if (choice.install || choice.remove) await change(authority, choice, terminal);
  else if (choice.json) terminal.out(json({ ...authority, steps: trustSteps(authority) }));
  else terminal.out(describe(authority, trustSteps(authority)));
}

async function stateDirectoryOf({ config, stateDirectory }: TrustChoice): Promise<string> {
  if (stateDirectory !== undefined) return stateDirectory;
  const file = config ?? findConfiguration(process.cwd());
  const read = async (): Promise<unknown> =>
    file === undefined ? { routes: [] } : (await configurationSource({ config: file }).read()).input;
  return namingFile(file ?? null, async () => {
    return resolveOptions(await read(), processEnvironment()).options.stateDirectory;
  });
}

async function change(authority: TrustedAuthority, choice: TrustChoice, terminal: Terminal): Promise<void> {
  if (getuid?.() !== 0) {
    const text = 'only root can change what the system trusts (the commands are those of smartproxy trust)';
    throw new SmartProxyError('trust-failed', text, { source: 'proxy' });
  }
  const file = choice.install ? await trustOnDebian(authority) : await distrustOnDebian(authority);
  const told = choice.install ? 'trusts' : 'no longer trusts';
  if (choice.json) terminal.out(json({ ...authority, file, trusted: choice.install === true }));
  else terminal.out(`This system ${told} ${authority.name} (${file}).\n`);
}

function describe(
  { name, fingerprint, certificateFile }: TrustedAuthority,
  steps: readonly TrustStep[],
): string {
  const head = [name, `  ${certificateFile}`, `  SHA-256 ${fingerprint}`, ''];
  const body = steps.flatMap(({ who, commands }) => [`${who}:`, ...commands.map((one) => `  ${one}`), '']);
  const note =
    'Whoever trusts it trusts every certificate made with the key beside it: keep that to yourself.';
  return [...head, ...body, note, ''].join('\n');
}

/** What is doubtful about the authority goes to stderr. */
function warningsTo(terminal: Terminal): Logger {
  const warn = (event: string, fields: Record<string, unknown> = {}): void =>
    terminal.err(`${event} ${JSON.stringify(fields)}\n`);
  return { ...silentLogger, warn };
}

function usage(message: string): SmartProxyError {
  return new SmartProxyError('usage', message, { source: 'config' });
}
