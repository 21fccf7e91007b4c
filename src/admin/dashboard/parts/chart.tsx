import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { type Series, stackOf } from '../figures/series.ts';
import { clockTime } from '../words/durations.ts';
import { drawChart, type Plot } from './plot.ts';
import { usePageTheme } from './theme.ts';

export interface ChartProps {
  readonly title: string;
  readonly times: readonly number[];
  readonly series: readonly Series[];
  /** A custom property of the style sheet for each label. */
  readonly colour: (label: string) => string;
  readonly format: (value: number) => string;
  /** How long the chart reaches back from its last time, in seconds. */
  readonly windowSeconds: number;
  readonly stacked?: boolean;
  readonly height?: number;
  /** Shown in place of lines where there is nothing. */
  readonly empty?: string;
}

/** A chart, with a legend that tells the values at the pointer, or else the last ones. */
export function Chart(props: ChartProps) {
  const { title, times, series, colour, format, stacked = false, empty } = props;
  const [pointed, setPointed] = useState<number | null>(null);
  const index = pointed !== null && pointed < times.length ? pointed : times.length - 1;
  const legend = series.map(({ label, values }) => ({ label, text: format(values[index] ?? 0) }));
  const nothing = empty !== undefined && series.length === 0;
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <time class="chart-time">{pointed === null ? '' : clockTime((times[index] ?? 0) * 1000)}</time>
      </figcaption>
      <Canvas {...props} onPoint={setPointed} />
      {nothing && <p class="chart-empty">{empty}</p>}
      <ul class={stacked ? 'legend legend-stacked' : 'legend'} aria-label={`${title}, now`}>
        {legend.map(({ label, text }) => (
          <li key={label}>
            <span class="swatch" style={{ background: `var(${colour(label)})` }} />
            <span class="legend-label">{label}</span>
            <span class="legend-value">{text}</span>
          </li>
        ))}
      </ul>
    </figure>
  );
}

type CanvasProps = ChartProps & { readonly onPoint: (index: number | null) => void };

/** uPlot in the place that is left for it. It is made anew where its lines or the colours of the page change. */
function Canvas({
  times,
  series,
  colour,
  format,
  windowSeconds,
  stacked,
  height = 160,
  onPoint,
}: CanvasProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const theme = usePageTheme();
  const data = useMemo<uPlot.AlignedData>(() => {
    const lines = stacked ? stackOf(series).reverse() : series.map(({ values }) => values);
    return [times, ...lines] as uPlot.AlignedData;
  }, [times, series, stacked]);
  const labels = series.map(({ label }) => label);
  const order = stacked ? labels.toReversed() : labels;
  useEffect(() => {
    const node = place.current;
    if (node === null) return;
    plot.current = drawChart(node, data, {
      colours: order.map(colour),
      format,
      windowSeconds,
      stacked: stacked ?? false,
      height,
      onPoint,
    });
    return () => plot.current?.end();
  }, [order.join(), theme, windowSeconds, stacked, height]);
  useEffect(() => plot.current?.show(data), [data]);
  return <div class="chart-canvas" ref={place} style={{ height: `${height}px` }} aria-hidden="true" />;
}
