import type { Route } from '../admin-api/answers.ts';
import { useAnswer } from '../admin-api/use-answer.ts';
import { useLive } from '../live/use-live.ts';
import type { Place } from '../parts/place.ts';
import { ExplainForm } from './explain-form.tsx';
import { RouteCard } from './route-card.tsx';

/** Traffic comes with the stream; totals need no look each second. */
const askEveryTicks = 5;

/** Where connections go. Asked for at once when a reload has changed it. */
export function RoutesPage({ place }: { place: Place }) {
  const { state } = useLive();
  const version = `${state.overview?.configuration} ${Math.floor(state.tick / askEveryTicks)}`;
  const { answer, problem } = useAnswer<{ routes: Route[] }>('/api/v1/routes', version);
  const routes = answer?.routes ?? [];
  const chosen = place.query.get('route');
  return (
    <>
      <div class="page-head">
        <h1>Routes</h1>
        <p class="amount">{routes.length}</p>
      </div>
      <ExplainForm routes={routes} />
      {answer === null && <p class="nothing">{problem ?? 'Looking …'}</p>}
      <div class="routes">
        {routes.map((route) => (
          <RouteCard
            key={route.name}
            route={route}
            figures={state.routes.of(route.name)}
            pools={state.overview?.pools ?? []}
            chosen={route.name === chosen}
          />
        ))}
      </div>
    </>
  );
}
