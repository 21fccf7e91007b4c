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
  const style = getComputedStyle(node);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: value('--text-soft'), font, ticks: { show: false } };
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
        grid: { stroke: value('--line-faint'), width: 1 },
        size: 66,
        space: 34,
        values: (_plot, values) => values.map(options.format),
      },
    ],
    series: [{}, ...options.colours.map((name) => seriesOptions(value(name), value('--surface'), options))],
  };
}

/** Layers of a stack are painted over each other, the highest first, with a line between them. */
function seriesOptions(
  colour: string,
  surface: string,
  { stacked, colours }: Pick<PlotOptions, 'stacked' | 'colours'>,
): uPlot.Series {
  if (stacked) return { stroke: surface, width: 1, fill: colour, points: { show: false } };
  // What is under several lines would mix to a colour that means nothing.
  const fill = colours.length === 1 ? { fill: `${colour}1f` } : {};
  return { stroke: colour, width: 2, points: { show: false }, ...fill };
}

const minute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const second = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

function timeLabel(seconds: number): string {
  return (seconds % 60 === 0 ? minute : second).format(seconds * 1000);
}
