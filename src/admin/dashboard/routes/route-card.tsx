import { useEffect, useRef } from 'preact/hooks';
import type { PoolRow } from '../../live/messages.ts';
import type { Route } from '../admin-api/answers.ts';
import { keptRates, type RouteFigures } from '../live/route-traffic.ts';
import { placeLink } from '../parts/place.ts';
import { Sparkline } from '../parts/sparkline.tsx';
import { byteRate, bytes, count } from '../words/amounts.ts';
import { actionWords, matchWords } from './describe-route.ts';
import { Targets } from './targets.tsx';

export interface RouteCardProps {
  readonly route: Route;
  /** Undefined where nothing has passed lately. */
  readonly figures: RouteFigures | undefined;
  readonly pools: readonly PoolRow[];
  readonly chosen: boolean;
}

export function RouteCard({ route, figures, pools, chosen }: RouteCardProps) {
  const card = useRef<HTMLElement>(null);
  useEffect(() => {
    if (chosen) card.current?.scrollIntoView({ block: 'center' });
  }, [chosen]);
  return (
    <section class={chosen ? 'card route route-chosen' : 'card route'} ref={card}>
      <div class="route-head">
        <h2>{route.name}</h2>
        <a class="chip" href={placeLink(['connections'], { route: route.name })}>
          {count(figures?.active ?? route.active)} active
        </a>
      </div>
      <p class="words">
        {matchWords(route).map((word) => (
          <code key={word}>{word}</code>
        ))}
      </p>
      <Traffic route={route} rates={figures?.rates ?? []} />
      <p class="soft">{actionWords(route)}</p>
      <Targets route={route} pools={pools} />
      <Counts title="Ended by" counts={route.terminations ?? {}} />
      <Counts title="Answered" counts={route.statuses ?? {}} />
    </section>
  );
}

function Traffic({ route, rates }: { route: Route; rates: readonly number[] }) {
  return (
    <div class="route-traffic">
      <Sparkline
        values={rates}
        width={keptRates}
        label={`Traffic of ${route.name} in the last two minutes`}
      />
      <span>
        <strong>{byteRate(rates.at(-1) ?? 0)}</strong>
        {route.bytes !== undefined && (
          <span class="soft">
            {bytes(route.bytes.fromClient)} received, {bytes(route.bytes.toClient)} sent
          </span>
        )}
      </span>
    </div>
  );
}

/** The most frequent of many. */
const shownCounts = 4;

function Counts({ title, counts }: { title: string; counts: Readonly<Record<string, number>> }) {
  const sorted = Object.entries(counts).sort(([, one], [, other]) => other - one);
  if (sorted.length === 0) return null;
  return (
    <p class="route-counts">
      <span class="soft">{title}</span>
      {sorted.slice(0, shownCounts).map(([name, times]) => (
        <span key={name}>
          <code>{name}</code> {count(times)}
        </span>
      ))}
    </p>
  );
}
