import { printable } from '../terminal.ts';

const controlSequence = '\u001b[';

/** Colours and weight, unless NO_COLOR is set (no-color.org): then emphasis alone, which carries no colour. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly inverse: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly alarm: (text: string) => string;
}

export function createPaint(variables: NodeJS.ProcessEnv = process.env): Paint {
  const wrap = (code: string) => (text: string) => `${controlSequence}${code}m${text}${controlSequence}0m`;
  const plain = (text: string): string => text;
  const colours = !variables.NO_COLOR;
  return {
    bold: wrap('1'),
    inverse: wrap('7'),
    dim: colours ? wrap('2') : plain,
    alarm: colours ? wrap('1;31') : wrap('1'),
  };
}

/** Exactly so wide: cut off with an ellipsis, or filled up. */
export function cell(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  if (width <= 0) return '';
  const characters = [...printable(text)];
  if (characters.length > width) return `${characters.slice(0, width - 1).join('')}…`;
  const filling = ' '.repeat(width - characters.length);
  return align === 'left' ? characters.join('') + filling : filling + characters.join('');
}

/** Two texts at the ends of a line. */
export function spread(left: string, right: string, width: number): string {
  const rest = width - [...right].length;
  return rest > 1 ? `${cell(left, rest - 1)} ${right}` : cell(left, width);
}

const bars = '▁▂▃▄▅▆▇█';

/** Values as bars, the newest at the right end; the largest is the tallest. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const most = Math.max(...shown, 0);
  const bar = (value: number): string =>
    value === 0 || most === 0 ? ' ' : bars.charAt(Math.ceil((value / most) * bars.length) - 1);
  return shown.map(bar).join('').padStart(width);
}

const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `1.2 MB`: at most seven characters. */
export function shortBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `0.4`, `12`, `1.3k`: at most five characters up to a million. */
export function shortNumber(value: number): string {
  if (value >= 999_500) return `${(value / 1_000_000).toFixed(1)}M`;
  if (value >= 9_999.5) return `${(value / 1000).toFixed(0)}k`;
  return value >= 9.95 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

/** `4s`, `12m`, `3h`, `5d`. */
export function shortAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 100) return `${seconds}s`;
  if (seconds < 6_000) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
