import { CommanderError } from 'commander';
import { errorMessage, SmartProxyError } from '../base/errors.ts';

/** Where a command writes. */
export interface Terminal {
  /** The result, on stdout. */
  out(text: string): void;
  /** What went wrong, on stderr. */
  err(text: string): void;
}

export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

/** 0 done; 1 it failed while running; 2 usage or configuration is wrong. */
export type ExitCode = 0 | 1 | 2;

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (!(error instanceof SmartProxyError)) return 1;
  return error.source === 'config' || error.source === 'client' ? 2 : 1;
}

/** Tells why a command failed. Commander has told its own already. */
export function tellFailure(error: unknown, terminal: Terminal): void {
  if (error instanceof CommanderError) return;
  if (error instanceof SmartProxyError) terminal.err(`${printable(errorMessage(error), true)}\n`);
  else terminal.err(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}

/** Text from clients (server names, ids) without anything that moves a cursor. */
export function printable(text: string, lines = false): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    lines && character === '\n' ? '\n' : '\ufffd',
  );
}

/** Columns as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map((cell) => printable(cell)));
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** Lines of at most so many characters, broken between words. */
export function wrapped(text: string, width = process.stdout.columns ?? 100): string {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
