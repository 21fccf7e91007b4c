import { families, type KernelRoute } from '../config/kernel-route.ts';
import { formatBlock, rangesOf } from './address-ranges.ts';
import { nameDigest } from './route-numbers.ts';
import type { NftChain, NftElement } from './ruleset.ts';
import { type Terms, termsOf } from './terms.ts';
import { placesOf, translationOf } from './translation.ts';

/** What a table has for one route by itself: who comes to it is settled with its neighbours. */
export interface RouteRules {
  /** What flows of the route carry. */
  readonly mark: string;
  readonly elements: readonly SetElement[];
  readonly terms: Terms;
  /** Chooses among several targets; null where there is one for each family. */
  readonly choice: readonly [name: string, chain: NftChain] | null;
}

export interface SetElement {
  readonly set: string;
  readonly key: string;
  readonly element: NftElement;
}

/** Those of the routes that are there: a reload leaves most of them as they were. */
const known = new WeakMap<KernelRoute, RouteRules>();

/**
 * @param number the route's, which goes into the names of its chains
 * @param terms those of other routes, by their names
 */
export function rulesOf(
  route: KernelRoute,
  number: number,
  mark: string,
  terms: Map<string, Terms>,
): RouteRules {
  const before = known.get(route);
  if (before?.mark === mark) return before;
  const rules = makeRules(route, number, mark, termsOf(route.limits, route.timeouts, terms));
  known.set(route, rules);
  return rules;
}

function makeRules(route: KernelRoute, number: number, mark: string, terms: Terms): RouteRules {
  const targets = targetElements(route, number, mark);
  const elements = [
    element(route, 'routes', mark, null, nameDigest(route.name)),
    ...(route.action.nftables.source === 'keep' ? [element(route, 'kept', mark)] : []),
    ...listElements(route, mark),
    element(route, 'terms', mark, `jump ${terms.name}`),
    ...targets.elements,
  ];
  return { mark, elements, terms, choice: targets.choice };
}

function listElements(route: KernelRoute, mark: string): SetElement[] {
  const { allow, block } = route.security;
  const lists = [
    ['allowed', allow],
    ['blocked', block],
  ] as const;
  const elements = allow.length > 0 ? [element(route, 'restricted', mark)] : [];
  for (const family of families) {
    for (const [set, list] of lists) {
      for (const range of rangesOf(list, family))
        elements.push(element(route, `${set}_ip${family}`, `${mark} . ${formatBlock(range, family)}`));
    }
  }
  return elements;
}

function targetElements(
  route: KernelRoute,
  number: number,
  mark: string,
): Pick<RouteRules, 'elements' | 'choice'> {
  const elements = [...placesOf(route)].map(([set, family]) => element(route, `${set}_ip${family}`, mark));
  const rules: string[] = [];
  for (const family of families) {
    const translation = translationOf(route, family);
    if (translation.kind === 'several') rules.push(translation.rule);
    if (translation.kind !== 'one') continue;
    elements.push(element(route, `${translation.map}_ip${family}`, mark, translation.value));
  }
  if (rules.length === 0) return { elements, choice: null };
  const name = `several_${number}`;
  elements.push(element(route, 'several', mark, `goto ${name}`));
  return { elements, choice: [name, { hook: null, rules, route: route.name }] };
}

function element(
  { name }: KernelRoute,
  set: string,
  key: string,
  value: string | null = null,
  comment: string | null = null,
): SetElement {
  return { set, key, element: { value, comment, route: name } };
}
