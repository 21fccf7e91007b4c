/** Figures as people say them. */

export function durationWords(milliseconds: number): string {
  if (milliseconds < 0.1) return 'less than 0.1 ms';
  if (milliseconds < 100) return `${trimmed(milliseconds)} ms`;
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1_000;
  if (seconds < 59.95) return `${trimmed(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3_600) return twoUnits(whole, 60, 'min', 's');
  if (whole < 172_800) return twoUnits(Math.floor(whole / 60), 60, 'h', 'min');
  return twoUnits(Math.floor(whole / 3_600), 24, 'days', 'h');
}

function trimmed(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}

/** `5 min 12 s`, and `5 min` where nothing is left over. */
function twoUnits(value: number, perLarge: number, large: string, small: string): string {
  const rest = value % perLarge;
  const first = `${Math.floor(value / perLarge)} ${large}`;
  return rest === 0 ? first : `${first} ${rest} ${small}`;
}

/** Exact: whoever asks about one connection compares. */
export function byteWords(bytes: number): string {
  if (bytes === 0) return 'nothing';
  return bytes === 1 ? '1 byte' : `${grouped(bytes)} bytes`;
}

/** With thin commas: 1,234,567. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A unix socket has a path, and no port. */
export function placeWords(host: string, port: number): string {
  if (port === 0) return host === '' ? 'a unix socket' : host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Things in a sentence: `a, b and c`. */
export function listWords(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
