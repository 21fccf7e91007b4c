import type { ResolvedRoute } from '../config/resolved.ts';
import { TargetSelector } from './target-selector.ts';

/** One selector for each forwarding route, so that turns are counted over all of its connections. */
export class TargetSelectors {
  /** Weak: when a reload drops a route, its selector goes with it. */
  readonly #selectors = new WeakMap<ResolvedRoute, TargetSelector>();

  /** A route that does not forward has no targets to choose from. */
  of(route: ResolvedRoute): TargetSelector {
    let selector = this.#selectors.get(route);
    if (selector === undefined) {
      selector = new TargetSelector(route.action.type === 'forward' ? route.action.targets : []);
      this.#selectors.set(route, selector);
    }
    return selector;
  }
}
