import type { TerminationReason } from '../base/termination.ts';
import type { RouteRates } from './history.ts';
import type { Metrics } from './metrics.ts';
import type { RouteFigures } from './route-figures.ts';
import type { Sampler } from './sampler.ts';
import type { RouteTotals } from './totals.ts';

/** What is told of one route. */
export interface RouteReport extends RouteTotals {
  /** Why its connections ended. */
  terminations: Partial<Record<TerminationReason, number>>;
  /** Its HTTP requests by status; `none`: the client left before. */
  statuses: Record<string, number>;
  /** Per second, of the last ten. */
  rates: RouteRates;
}

/** Tells of routes by their name. Those beyond the bound of labels share one report. */
export function routeReporter(metrics: Metrics, sampler: Sampler): (name: string) => RouteReport {
  const totals = metrics.routeTotals();
  return (name) => {
    const figures = metrics.routes.of(name);
    const { route } = figures;
    return {
      ...totals.get(route)!,
      terminations: countBy(figures.endings(), 'reason'),
      statuses: countBy(figures.requests(), 'status'),
      rates: sampler.routeRates(route),
    };
  };
}

function countBy(series: ReturnType<RouteFigures['requests']>, label: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { labels, value } of series) {
    const key = labels[label] ?? '';
    counts[key] = (counts[key] ?? 0) + value;
  }
  return counts;
}
