import { isatty } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';
import { pino } from 'pino';
import type { Clock } from './clock.ts';
import { errorMessage } from './errors.ts';
import { LogOutput } from './log-output.ts';
import type { Logger } from './logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface ProcessLoggerOptions {
  clock: Clock;
  /** What is below is dropped. Default `info`. */
  level?: LogLevel;
  /** The descriptor that lines go to. Default 1, stdout. */
  fd?: number;
  /** Readable lines instead of JSON. Default: whether `fd` is a terminal. */
  readable?: boolean;
  /** What may wait for a slow reader, in bytes; later lines are dropped and counted. Default 4 MiB. */
  maxWaitingBytes?: number;
}

/** The log of a process. A blocked reader neither stops the event loop nor fills the memory. */
export interface ProcessLogger extends Logger {
  /** Lines dropped since the start because the reader was too slow, or gone. */
  readonly dropped: number;
  /** Changes what is dropped from now on. */
  setLevel(level: LogLevel): void;
  /**
   * Resolves with true once everything so far is written, with false after `timeoutMs` (default
   * 1,000): a reader that has stopped must not keep a process from ending.
   */
  flush(timeoutMs?: number): Promise<boolean>;
  /** Flushes, and lets go of the descriptor. What is logged after it is dropped. */
  close(timeoutMs?: number): Promise<boolean>;
}

const defaultWaitingBytes = 4 * 1024 * 1024;

/** One JSON object per line with `time` (ISO 8601, UTC), `level` and `event`, or readable lines on a terminal. */
export function createProcessLogger(options: ProcessLoggerOptions): ProcessLogger {
  return new PinoLogger(options);
}

class PinoLogger implements ProcessLogger {
  readonly #pino: ReturnType<typeof pino>;
  readonly #output: LogOutput;

  constructor(options: ProcessLoggerOptions) {
    const { clock, level = 'info', fd = 1, readable = isatty(fd) } = options;
    const maxWaitingBytes = options.maxWaitingBytes ?? defaultWaitingBytes;
    const output = new LogOutput({
      clock,
      fd,
      maxWaitingBytes,
      onDropped: (count) => this.warn('log-lines-dropped', { count }),
    });
    this.#output = output;
    const timestamp = (): string => `,"time":"${new Date(clock.wallTime()).toISOString()}"`;
    this.#pino = pino(
      { level, base: null, timestamp, formatters: { level: (label) => ({ level: label }) } },
      readable ? { write: (line: string) => output.write(readableLine(line)) } : output,
    );
  }

  get dropped(): number {
    return this.#output.dropped;
  }

  setLevel(level: LogLevel): void {
    this.#pino.level = level;
  }

  debug(event: string, fields?: Record<string, unknown>): void {
    this.#pino.debug({ event, ...fields });
  }

  info(event: string, fields?: Record<string, unknown>): void {
    this.#pino.info({ event, ...fields });
  }

  warn(event: string, fields?: Record<string, unknown>): void {
    this.#pino.warn({ event, ...fields });
  }

  error(event: string, fields?: Record<string, unknown>): void {
    this.#pino.error({ event, ...fields });
  }

  flush(timeoutMs = 1_000): Promise<boolean> {
    return this.#output.flush(timeoutMs);
  }

  close(timeoutMs = 1_000): Promise<boolean> {
    return this.#output.close(timeoutMs);
  }
}

/** `12:34:56.789 info  ready  listeners=[…]`: for people; programs read the JSON. */
function readableLine(json: string): string {
  const { time, level, event, ...fields } = parseLine(json);
  const head = `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${event}`;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${readableValue(value)}`);
  return `${stripVTControlCharacters(head + rest.join(''))}\n`;
}

function parseLine(json: string): Record<string, unknown> {
  try {
    return JSON.parse(json) as Record<string, unknown>;
  } catch (error) {
    return { event: 'unreadable-log-line', error: errorMessage(error) };
  }
}

function readableValue(value: unknown): string {
  return typeof value === 'string' && /^[\w.:/@*-]+$/.test(value) ? value : JSON.stringify(value);
}
