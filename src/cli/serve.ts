import { execFile } from 'node:child_process';
import { systemClock } from '../base/clock.ts';
import { errorCode, errorMessage, SmartProxyError } from '../base/errors.ts';
import type { ProcessLogger } from '../base/logger-pino.ts';
import type { Environment } from '../config/environment.ts';
import { resolveOptions } from '../config/resolve.ts';
import type { SmartProxyOptions } from '../config/schema.ts';
import { portHolder } from '../smart-proxy/port-holder.ts';
import { SmartProxy } from '../smart-proxy/smart-proxy.ts';
import { namingFile } from './configuration.ts';

export interface ServeOptions {
  input: unknown;
  /** Where `input` comes from, for messages; null: from no file. */
  file: string | null;
  log: ProcessLogger;
  environment: Environment;
  /** Re-reads the configuration; without it SIGHUP and `reload` are refused. */
  reload?: () => Promise<unknown>;
  /** Every listener is bound. */
  onReady?: (proxy: SmartProxy) => void;
}

/** How long a second signal waits for connections to be reset and their last lines to be written. */
const hurriedMs = 500;

/**
 * Runs a proxy until a signal or a drain ends it. Rejects where it cannot start.
 *
 * SIGTERM and SIGINT drain, a second one ends at once, SIGHUP reloads.
 */
export async function serve({ input, file, log, environment, reload, onReady }: ServeOptions): Promise<void> {
  await namingFile(file, () => followLogLevel(log, input, environment));
  const proxy = new SmartProxy(input as SmartProxyOptions, {
    log,
    environment,
    ...(reload !== undefined && {
      reloadOptions: () =>
        namingFile(file, async () => {
          const again = await reload();
          followLogLevel(log, again, environment);
          return again;
        }),
    }),
  });
  await runUntilSignal(proxy, log, () => onReady?.(proxy));
}

/** What a process can run in its foreground. */
export interface Foreground {
  start(): Promise<void>;
  stop(options?: { graceMs?: number }): Promise<void>;
  reload(): Promise<void>;
  once(event: 'stopped', listener: () => void): unknown;
}

/** Starts, and resolves once a signal or a drain has ended it. Rejects where it cannot start. */
export async function runUntilSignal(
  proxy: Foreground,
  log: ProcessLogger,
  onReady: () => void,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => proxy.once('stopped', resolve));
  const signals = listenToSignals(proxy, log);
  try {
    await proxy.start().catch(nameHolder);
    notify(log, '--ready');
    onReady();
    await Promise.race([stopped, signals.hurried]);
  } finally {
    signals.stop();
  }
}

/** Throws where the configuration is wrong. */
function followLogLevel(log: ProcessLogger, input: unknown, environment: Environment): void {
  log.setLevel(resolveOptions(input, environment).options.log.level);
}

/** A port that is taken is taken by somebody. */
function nameHolder(error: unknown): never {
  const port = (error as { cause?: { port?: unknown } }).cause?.port;
  const holder = errorCode(error) === 'port-taken' && typeof port === 'number' ? portHolder(port) : undefined;
  if (holder === undefined) throw error;
  throw new SmartProxyError('port-taken', `${errorMessage(error)}: ${holder}`, {
    source: 'proxy',
    retryable: true,
    cause: error,
  });
}

interface Signals {
  /** Resolves some time after a second signal, whatever is left. */
  hurried: Promise<void>;
  stop(): void;
}

function listenToSignals(proxy: Foreground, log: ProcessLogger): Signals {
  const { promise: hurried, resolve } = Promise.withResolvers<void>();
  let count = 0;
  const end = (signal: string): void => {
    count += 1;
    log.info('signal', { signal, count });
    if (count === 1) {
      notify(log, '--stopping');
      void proxy.stop();
    } else {
      void proxy.stop({ graceMs: 0 });
      systemClock.setTimer(hurriedMs, resolve);
    }
  };
  const reload = (): void => {
    // Why it was refused is in the log already, except that there is nothing to read.
    proxy.reload().catch((error) => {
      if (errorCode(error) === 'nothing-to-reload')
        log.warn('reload-refused', { message: errorMessage(error) });
    });
  };
  process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', reload);
  return {
    hurried,
    stop: () => void process.off('SIGTERM', end).off('SIGINT', end).off('SIGHUP', reload),
  };
}

/** Node has no datagram unix sockets, so systemd's own program tells it (the unit needs NotifyAccess=all). */
function notify(log: ProcessLogger, message: '--ready' | '--stopping'): void {
  if (!process.env.NOTIFY_SOCKET) return;
  execFile('systemd-notify', [message], (error) => {
    if (error !== null) log.warn('notify-failed', { message: errorMessage(error) });
  });
}
