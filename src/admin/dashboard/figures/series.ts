import type { Span } from '../live/samples.ts';

/** A line of a chart, or a layer of a stack; as many values as the chart has times. */
export interface Series {
  readonly label: string;
  readonly values: readonly number[];
}

type Counts = Readonly<Partial<Record<string, number>>>;

/** Layers of a stack: more of them cannot be told apart. */
const maxLayers = 8;
/** Where the rest goes. */
export const otherLabel = 'others';

/** In seconds since the epoch, as charts want them. */
export function timesOf(spans: readonly Span[]): number[] {
  return spans.map(({ at }) => at / 1_000);
}

/** How often something happened, each second. */
export function ratesOf(spans: readonly Span[], read: (counts: Span['counts']) => number): number[] {
  return spans.map(({ counts, seconds }) => (seconds > 0 ? read(counts) / seconds : 0));
}

/** On the average of all of them. */
export function averageRate(spans: readonly Span[], read: (counts: Span['counts']) => number): number {
  const seconds = spans.reduce((sum, span) => sum + span.seconds, 0);
  return seconds > 0 ? spans.reduce((sum, { counts }) => sum + read(counts), 0) / seconds : 0;
}

/** The rates of everything that happened in these spans: the most frequent first, and together what is beyond the eighth. */
export function layersOf(spans: readonly Span[], read: (counts: Span['counts']) => Counts): Series[] {
  const ranked = rankedLabels(spans.map(({ counts }) => read(counts)));
  const shown = ranked.length > maxLayers ? ranked.slice(0, maxLayers - 1) : ranked;
  const layers = shown.map((label) => ({
    label,
    values: ratesOf(spans, (counts) => read(counts)[label] ?? 0),
  }));
  const rest = ranked.slice(shown.length);
  if (rest.length === 0) return layers;
  const sumOfRest = (counts: Counts): number => rest.reduce((sum, label) => sum + (counts[label] ?? 0), 0);
  return [...layers, { label: otherLabel, values: ratesOf(spans, (counts) => sumOfRest(read(counts))) }];
}

function rankedLabels(all: readonly Counts[]): string[] {
  const sums = new Map<string, number>();
  for (const counts of all) {
    for (const [label, count = 0] of Object.entries(counts)) sums.set(label, (sums.get(label) ?? 0) + count);
  }
  return [...sums]
    .filter(([, sum]) => sum > 0)
    .sort(([label, sum], [otherLabel, otherSum]) => otherSum - sum || label.localeCompare(otherLabel))
    .map(([label]) => label);
}

/** Each layer on top of those before it. */
export function stackOf(layers: readonly Series[]): number[][] {
  let below: readonly number[] = [];
  return layers.map(({ values }) => {
    const top = values.map((value, index) => value + (below[index] ?? 0));
    below = top;
    return top;
  });
}
