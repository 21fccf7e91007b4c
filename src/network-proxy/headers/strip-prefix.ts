/**
 * Cuts `prefix` off the path of a target where a segment ends: `/api` of `/api/x?y` leaves `/x?y`,
 * of `/api` leaves `/`, of `/apix` nothing changes. Null: nothing was cut.
 *
 * @param prefix begins with `/` and does not end with one
 */
export function stripPrefix(target: string, prefix: string): string | null {
  if (!target.startsWith(prefix)) return null;
  const rest = target.slice(prefix.length);
  if (rest === '') return '/';
  if (rest.startsWith('/')) return rest;
  return rest.startsWith('?') ? `/${rest}` : null;
}
