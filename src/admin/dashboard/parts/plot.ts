import uPlot from 'uplot';

export interface PlotOptions {
  /** Custom properties of the style sheet, one for each line. */
  readonly colours: readonly string[];
  readonly format: (value: number) => string;
  readonly windowSeconds: number;
  readonly stacked: boolean;
  readonly height: number;
  readonly onPoint: (index: number | null) => void;
}

/** A chart on the page. */
export interface Plot {
  show(data: uPlot.AlignedData): void;
  end(): void;
}

/** Charts of one page point to the same moment. */
const sync = uPlot.sync('dashboard');
const font = '11px system-ui, sans-serif';

/** Draws into a node, as wide as it is, until it is ended. */
export function drawChart(node: HTMLElement, data: uPlot.AlignedData, options: PlotOptions): Plot {
  const plot = new uPlot(uplotOptions(node, options), data, node);
  const watcher = new ResizeObserver(() => {
    if (node.clientWidth > 0) plot.setSize({ width: node.clientWidth, height: options.height });
  });
  watcher.observe(node);
  return {
    show: (next) => plot.setData(next),
    end() {
      watcher.disconnect();
      plot.destroy();
    },
  };
}

function uplotOptions(node: HTMLElement, options: PlotOptions): uPlot.Options {
  const colour = (css: string): string => colourOf(node, css);
  const axis = { stroke: colour('var(--text-soft)'), font, ticks: { show: false } };
  return {
    width: Math.max(80, node.clientWidth),
    height: options.height,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: sync.key },
      drag: { x: false, y: false },
      points: { show: !options.stacked, size: 6 },
      y: false,
    },
    hooks: { setCursor: [({ cursor }) => options.onPoint(cursor.idx ?? null)] },
    scales: {
      x: { range: (_plot, _min, max) => [max - options.windowSeconds, max] },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 24, space: 70, values: (_plot, times) => times.map(timeLabel) },
      {
        ...axis,
        grid: { stroke: colour('var(--line-faint)'), width: 1 },
        size: 66,
        space: 34,
        values: (_plot, values) => values.map(options.format),
      },
    ],
    series: [{}, ...options.colours.map((name) => seriesOptions(`var(${name})`, colour, options))],
  };
}

/** Layers of a stack are painted over each other, the highest first, with a line between them. */
function seriesOptions(
  css: string,
  colour: (css: string) => string,
  { stacked, colours }: Pick<PlotOptions, 'stacked' | 'colours'>,
): uPlot.Series {
  const points = { show: false };
  if (stacked) return { stroke: colour('var(--surface)'), width: 1, fill: colour(css), points };
  // What is under several lines would mix to a colour that means nothing.
  const fill = colours.length === 1 ? { fill: colour(`color-mix(in srgb, ${css} 12%, transparent)`) } : {};
  return { stroke: colour(css), width: 2, points, ...fill };
}

/** A canvas knows no custom properties, and neither light nor dark: what a style makes of a colour there. */
function colourOf(node: HTMLElement, css: string): string {
  const before = node.style.color;
  node.style.color = css;
  const { color } = getComputedStyle(node);
  node.style.color = before;
  return color;
}

const minute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const second = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

function timeLabel(seconds: number): string {
  return (seconds % 60 === 0 ? minute : second).format(seconds * 1000);
}
