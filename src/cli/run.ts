import { systemClock } from '../base/clock.ts';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import { createProcessLogger, type ProcessLogger } from '../base/logger-pino.ts';
import { parseAdminListen } from '../config/admin-listen.ts';
import { defaultAdminListen, processEnvironment } from '../config/environment.ts';
import { type ConfigurationChoice, configurationSource } from './configuration.ts';
import { serve } from './serve.ts';

export interface RunChoice extends ConfigurationChoice {
  /** Where the admin API listens; false: nowhere. Default: as configured, else the default socket. */
  admin?: string | false | undefined;
}

/** The newest Node that the tests run on. */
export const newestTestedNode = 26;

/** `smartproxy run`: until a signal or a drain ends it. Rejects where it cannot start. */
export async function run(choice: RunChoice): Promise<void> {
  if (choice.admin && parseAdminListen(choice.admin) === undefined) {
    const message = `--admin ${choice.admin}: write an address and a port such as 127.0.0.1:9901, or unix:/path`;
    throw new SmartProxyError('usage', message, { source: 'config' });
  }
  const source = configurationSource(choice);
  const environment = processEnvironment(defaultAdminListen());
  await withLog(async (log) => {
    const read = async (): Promise<unknown> => {
      const { input } = await source.read();
      return withAdmin(input, choice.admin);
    };
    const reload = async (): Promise<unknown> => {
      const { input, program } = await source.read();
      if (program)
        log.info('program-read-again', { file: source.file, but: 'what it imports needs a restart' });
      return withAdmin(input, choice.admin);
    };
    const { file } = source;
    await serve({ input: await read(), file, log, environment, ...(file !== null && { reload }) });
  });
}

/** Runs `work` with the log of this process, and ends the process with a line for what nobody caught. */
export async function withLog(work: (log: ProcessLogger) => Promise<void>): Promise<void> {
  const log = createProcessLogger({ clock: systemClock });
  warnOfNewNode(log);
  const fatal = (error: unknown): void => {
    log.error('internal-error', { message: errorMessage(error), stack: (error as Error).stack });
    void log.close().then(() => process.exit(1));
  };
  process.on('uncaughtException', fatal).on('unhandledRejection', fatal);
  try {
    await work(log);
  } finally {
    await log.close();
    process.off('uncaughtException', fatal).off('unhandledRejection', fatal);
  }
}

function warnOfNewNode(log: ProcessLogger): void {
  if (Number.parseInt(process.versions.node, 10) <= newestTestedNode) return;
  log.warn('untested-node', { version: process.versions.node, newestTested: newestTestedNode });
}

function withAdmin(input: unknown, admin: RunChoice['admin']): unknown {
  if (admin === undefined || typeof input !== 'object' || input === null) return input;
  if (admin === false) return { ...input, admin };
  const configured = (input as { admin?: object | false }).admin;
  return { ...input, admin: { ...(configured || {}), listen: admin } };
}
