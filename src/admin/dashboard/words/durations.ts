/** As short as it is still meant: `0.4 ms`, `320 ms`, `4.2 s`, `3 m 20 s`, `5 h 1 m`, `2 d 3 h`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 10) return `${oneDigit(Math.max(0, milliseconds))} ms`;
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${oneDigit(seconds)} s`;
  return longDuration(Math.round(seconds));
}

/** In whole seconds: what counts up or down on a page. */
export function longDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return two(Math.floor(whole / 60), 'm', whole % 60, 's');
  if (whole < 86_400) return two(Math.floor(whole / 3_600), 'h', Math.floor((whole % 3_600) / 60), 'm');
  return two(Math.floor(whole / 86_400), 'd', Math.floor((whole % 86_400) / 3_600), 'h');
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function oneDigit(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const dateAndClock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** `14:03:22`, in the reader's time. */
export function clockTime(at: number): string {
  return clock.format(at);
}

export function dateTime(at: number): string {
  return dateAndClock.format(at);
}
