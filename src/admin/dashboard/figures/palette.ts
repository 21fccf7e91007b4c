import { otherLabel } from './series.ts';

/**
 * Colours that colour-blind people can tell apart (Okabe and Ito), as custom properties of the style
 * sheet, which has them for a light and for a dark page. Grey is for what is summed up.
 */
const colours = [1, 2, 3, 4, 5, 6, 7].map((number) => `--series-${number}`);
const grey = '--series-other';

/** What is normal has calm colours, always the same. */
const fixed: Readonly<Record<string, string>> = {
  'client-closed': '--series-1',
  'target-closed': '--series-2',
  '2xx': '--series-1',
  '3xx': '--series-2',
  '4xx': '--series-4',
  '5xx': '--series-3',
  '1xx': '--series-5',
  none: grey,
  [otherLabel]: grey,
};

/** Gives each label a colour, and keeps to it for as long as the page is open. */
export class Palette {
  readonly #given = new Map<string, string>();

  of(label: string): string {
    const known = fixed[label] ?? this.#given.get(label);
    if (known !== undefined) return known;
    // The first two are the fixed ones'.
    const free = colours.slice(2);
    const colour = free[this.#given.size % free.length] as string;
    this.#given.set(label, colour);
    return colour;
  }
}
