const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** `12,345`. */
export function count(value: number): string {
  return whole.format(value);
}

/** For an axis or a tile: `0.5`, `950`, `12.3k`, `3.40M`. */
export function shortCount(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${threeDigits(value / 1e6)}M`;
  if (size >= 1e4) return `${threeDigits(value / 1e3)}k`;
  return size >= 9.95 || Number.isInteger(value) ? whole.format(value) : value.toFixed(1);
}

/** Of a thousand bytes each: `1.2 MB`. */
export function bytes(value: number): string {
  let size = value;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? whole.format(size) : threeDigits(size)} ${units[unit]}`;
}

export function byteRate(perSecond: number): string {
  return `${bytes(perSecond)}/s`;
}

/** Three digits that count, with their zeros: what changes all the time should not change its width. */
function threeDigits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}
