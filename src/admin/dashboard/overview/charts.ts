import { Palette } from '../figures/palette.ts';
import { layersOf, ratesOf, type Series } from '../figures/series.ts';
import type { Span } from '../live/samples.ts';
import { byteRate, shortCount } from '../words/amounts.ts';
import { duration } from '../words/durations.ts';

export interface ChartContent {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  readonly stacked?: boolean;
  /** What is said in place of lines. */
  readonly empty?: string;
}

export const perSecond = (value: number): string => `${shortCount(value)}/s`;

const palette = new Palette();

/** Lines that mean the same on every chart have the same colour. */
const colours: Readonly<Record<string, string>> = {
  active: '--series-1',
  opened: '--series-1',
  ended: '--series-4',
  refused: '--series-3',
  'from clients': '--series-1',
  'to clients': '--series-4',
  completed: '--series-5',
  failed: '--series-3',
  longest: '--series-6',
};

export function colourOf(label: string): string {
  return colours[label] ?? palette.of(label);
}

/** The small charts, in their order. */
export function chartsOf(spans: readonly Span[]): ChartContent[] {
  return [
    {
      title: 'Active connections',
      series: [values(spans, 'active', ({ active }) => active)],
      format: shortCount,
    },
    {
      title: 'Opened and ended',
      series: [
        rate(spans, 'opened', ({ opened }) => opened),
        rate(spans, 'ended', ({ terminated }) => terminated),
        rate(spans, 'refused', ({ refused }) => refused),
      ],
      format: perSecond,
    },
    {
      title: 'Throughput',
      series: [
        rate(spans, 'from clients', ({ bytes }) => bytes.fromClient),
        rate(spans, 'to clients', ({ bytes }) => bytes.toClient),
      ],
      format: byteRate,
    },
    {
      title: 'Requests by status',
      series: layersOf(spans, ({ statuses }) => statuses),
      format: perSecond,
      stacked: true,
      empty: 'No request has been answered in this time.',
    },
    {
      title: 'TLS handshakes',
      series: [
        rate(spans, 'completed', ({ handshakes }) => handshakes),
        rate(spans, 'failed', failedHandshakes),
      ],
      format: perSecond,
    },
    {
      title: 'Event-loop delay',
      series: [values(spans, 'longest', ({ delayMs }) => delayMs)],
      format: duration,
    },
  ];
}

function values(spans: readonly Span[], label: string, read: (span: Span) => number): Series {
  return { label, values: spans.map(read) };
}

function rate(spans: readonly Span[], label: string, read: (counts: Span['counts']) => number): Series {
  return { label, values: ratesOf(spans, read) };
}

function failedHandshakes({ terminations }: Span['counts']): number {
  return (terminations['tls-handshake-failed'] ?? 0) + (terminations['tls-handshake-timeout'] ?? 0);
}
