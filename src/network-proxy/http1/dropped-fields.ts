const nowhere: readonly number[] = Object.freeze([]);

/** Places of fields, each list ascending, as one ascending list without doubles. */
export function mergePlaces(
  first: readonly number[],
  second: readonly number[],
  third: readonly number[] = nowhere,
): readonly number[] {
  if (second.length === 0 && third.length === 0) return first;
  if (first.length === 0 && third.length === 0) return second;
  return [...new Set([...first, ...second, ...third])].sort((a, b) => a - b);
}
