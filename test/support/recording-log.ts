import type { Logger } from '../../src/base/logger.ts';

export interface LogLine {
  level: keyof Logger;
  event: string;
  fields: Record<string, unknown>;
}

/** A log that can be asked what was said. */
export class RecordingLog implements Logger {
  readonly lines: LogLine[] = [];
  readonly debug = this.#recorder('debug');
  readonly info = this.#recorder('info');
  readonly warn = this.#recorder('warn');
  readonly error = this.#recorder('error');

  /** Names of the events above debug, in order. */
  events(): string[] {
    return this.lines.filter(({ level }) => level !== 'debug').map(({ event }) => event);
  }

  #recorder(level: keyof Logger) {
    return (event: string, fields: Record<string, unknown> = {}): void => {
      this.lines.push({ level, event, fields });
    };
  }
}
