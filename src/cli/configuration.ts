import { cwd } from 'node:process';
import { SmartProxyError } from '../base/errors.ts';
import { fromTo } from '../config/from-to.ts';
import { findConfiguration, loadConfiguration } from '../config/load.ts';
import { ConfigurationError } from '../config/problems.ts';

/** How a command was told its configuration. */
export interface ConfigurationChoice {
  config?: string | undefined;
  from?: readonly string[] | undefined;
  to?: readonly string[] | undefined;
}

/** Where a configuration comes from, read as often as is asked. */
export interface ConfigurationSource {
  /** Null for `--from` and `--to`. */
  readonly file: string | null;
  read(): Promise<{ input: unknown; program: boolean }>;
}

/** Throws SmartProxyError with source `config` where there is none, or two. */
export function configurationSource(choice: ConfigurationChoice, folder = cwd()): ConfigurationSource {
  const { config, from = [], to = [] } = choice;
  if (from.length + to.length > 0) {
    if (config !== undefined) throw usage('--config and --from/--to exclude each other');
    return pairSource(from, to);
  }
  const file = config ?? findConfiguration(folder);
  if (file !== undefined) return { file, read: () => loadConfiguration(file) };
  throw new SmartProxyError(
    'no-configuration',
    'there is no smartproxy.config.{ts,mts,js,mjs,json,yaml,yml} in this folder ' +
      '(write one, or name another with --config FILE; smartproxy run takes --from https://app.localhost:8443 --to http://127.0.0.1:3000 too)',
    { source: 'config' },
  );
}

function pairSource(from: readonly string[], to: readonly string[]): ConfigurationSource {
  if (from.length !== to.length) {
    throw usage(`each --from needs a --to: there are ${from.length} and ${to.length}`);
  }
  const input = fromTo(from.map((text, index) => ({ from: text, to: to[index] ?? '' })));
  return { file: null, read: async () => ({ input, program: false }) };
}

function usage(message: string): SmartProxyError {
  return new SmartProxyError('usage', message, { source: 'config' });
}

/** Runs `work`, and lets what it says about a configuration name the file. */
export async function namingFile<Result>(
  file: string | null,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigurationError) || error.file !== null || file === null) throw error;
    throw new ConfigurationError(error.problems, { file, warnings: error.warnings, cause: error.cause });
  }
}
