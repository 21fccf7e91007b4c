import type { PoolRow } from '../../live/messages.ts';
import type { Route } from '../admin-api/answers.ts';
import { count } from '../words/amounts.ts';
import { targetPlace, targetsOf } from './describe-route.ts';

/** Each target, with its pool of kept connections where there is one. */
export function Targets({ route, pools }: { route: Route; pools: readonly PoolRow[] }) {
  const targets = targetsOf(route);
  if (targets.length === 0) return null;
  return (
    <ul class="targets">
      {targets.map((target) => {
        const where = targetPlace(target);
        const pool = pools.find((one) => one.target === where || one.target.endsWith(`//${where}`));
        return (
          <li key={where}>
            <code>{where}</code>
            {targets.length > 1 && <span class="soft">weight {target.weight}</span>}
            {pool !== undefined && (
              <span class="soft">
                {count(pool.busy)} busy, {count(pool.idle)} idle, {count(pool.reused)} reused
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
