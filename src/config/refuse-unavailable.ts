import type { Problem } from './problems.ts';
import type { Route } from './schema.ts';

/** Parts of SmartProxy that a version may lack. */
export type Feature = 'kernel-forwarding';

/** What this version has of them. */
export const availableFeatures: ReadonlySet<Feature> = new Set<Feature>();

/** What a route asks for that this version cannot do. `path` is the route's own. */
export function refuseUnavailable(
  { action }: Route,
  path: string,
  features: ReadonlySet<Feature>,
): Problem[] {
  if (action.type !== 'forward' || action.engine !== 'nftables' || features.has('kernel-forwarding'))
    return [];
  return [
    {
      path: `${path}.action.engine`,
      message: "'nftables' comes with kernel forwarding, which this version does not have yet",
      instead: "leave it out, or write 'node'",
    },
  ];
}
