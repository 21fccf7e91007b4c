import type { Overview } from '../../live/messages.ts';
import { averageRate } from '../figures/series.ts';
import type { Span } from '../live/samples.ts';
import { byteRate, count, shortCount } from '../words/amounts.ts';
import { duration } from '../words/durations.ts';

interface Tile {
  readonly label: string;
  readonly value: string;
  readonly note: string;
  readonly bad?: boolean;
}

export interface TilesProps {
  readonly overview: Overview;
  /** The last few seconds: one alone would flicker. */
  readonly recent: readonly Span[];
}

/** The event loop is late for longer than people call "at once". */
const lateMs = 200;

/** The figures of this moment, large. */
export function Tiles(props: TilesProps) {
  return (
    <dl class="tiles">
      {tilesOf(props).map(({ label, value, note, bad }) => (
        <div class={bad ? 'tile tile-bad' : 'tile'} key={label}>
          <dt>{label}</dt>
          <dd class="tile-value">{value}</dd>
          <dd class="tile-note">{note}</dd>
        </div>
      ))}
    </dl>
  );
}

function tilesOf({ overview: { counters, audit }, recent }: TilesProps): Tile[] {
  const rate = (read: (counts: Span['counts']) => number): number => averageRate(recent, read);
  const perSecond = (read: (counts: Span['counts']) => number): string => `${shortCount(rate(read))}/s`;
  const longest = Math.max(0, ...recent.map(({ delayMs }) => delayMs));
  return [
    { label: 'Active', value: count(counters.active), note: `${count(counters.opened)} opened so far` },
    {
      label: 'Opened',
      value: perSecond(({ opened }) => opened),
      note: `${perSecond(({ terminated }) => terminated)} ended, ${perSecond(({ refused }) => refused)} refused`,
    },
    { label: 'From clients', value: byteRate(rate(({ bytes }) => bytes.fromClient)), note: 'received' },
    { label: 'To clients', value: byteRate(rate(({ bytes }) => bytes.toClient)), note: 'sent' },
    {
      label: 'Requests',
      value: perSecond(({ requests }) => requests),
      note: `${count(counters.requests)} so far`,
    },
    {
      label: 'Handshakes',
      value: perSecond(({ handshakes }) => handshakes),
      note: `${count(counters.handshakes)} so far`,
    },
    {
      label: 'Event loop late',
      value: duration(longest),
      note: `the worst of ${recent.length} s`,
      bad: longest > lateMs,
    },
    {
      label: 'Audit',
      value: audit.consistent ? 'Agrees' : 'Differs',
      note: `${count(audit.records)} records, ${count(audit.sockets)} sockets`,
      bad: !audit.consistent,
    },
  ];
}
