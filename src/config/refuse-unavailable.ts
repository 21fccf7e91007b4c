import { writtenTargets } from './check-http.ts';
import type { Problem } from './problems.ts';
import type { Route, SmartProxyOptions } from './schema.ts';

/** Parts of SmartProxy that a version may lack. */
export type Feature = 'network-proxy' | 'kernel-forwarding';

/** What this version has beside the core. */
export const availableFeatures: ReadonlySet<Feature> = new Set<Feature>();

const networkProxyMissing = 'comes with NetworkProxy, which this version does not have yet';
const kernelMissing = 'comes with kernel forwarding, which this version does not have yet';

/** What a route asks for that this version cannot do. `path` is the route's own. */
export function refuseUnavailable(route: Route, path: string, features: ReadonlySet<Feature>): Problem[] {
  const problems: Problem[] = [];
  const refuse = (field: string, message: string, instead?: string) =>
    problems.push({ path: `${path}.${field}`, message, ...(instead !== undefined && { instead }) });
  if (!features.has('network-proxy')) refuseHttpAndTls(route, refuse);
  const { action } = route;
  if (action.type === 'forward' && action.engine === 'nftables' && !features.has('kernel-forwarding')) {
    refuse('action.engine', `'nftables' ${kernelMissing}`, "leave it out, or write 'node'");
  }
  return problems;
}

function refuseHttpAndTls(
  { match, action }: Route,
  refuse: (field: string, message: string, instead?: string) => void,
): void {
  for (const field of ['path', 'methods', 'headers'] as const) {
    if (match[field] !== undefined) refuse(`match.${field}`, networkProxyMissing, 'leave it out');
  }
  if (match.protocol === 'http')
    refuse('match.protocol', `'http' ${networkProxyMissing}`, "write 'tcp' or 'tls'");
  if (action.type === 'redirect' || action.type === 'respond') {
    refuse('action.type', `'${action.type}' ${networkProxyMissing}`);
  } else if (action.type === 'handler' && action.tls !== undefined) {
    refuse('action.tls', networkProxyMissing, 'leave it out');
  } else if (action.type === 'forward') {
    const mode = action.tls?.mode;
    if (mode !== undefined && mode !== 'passthrough') {
      refuse('action.tls.mode', `'${mode}' ${networkProxyMissing}`, "write 'passthrough'");
    }
    if (action.http !== undefined) refuse('action.http', networkProxyMissing, 'leave it out');
    refuseInTargets(action, refuse);
  }
}

function refuseInTargets(
  action: Extract<Route['action'], { type: 'forward' }>,
  refuse: (field: string, message: string, instead?: string) => void,
): void {
  for (const { target, field: place } of writtenTargets(action)) {
    const field = `action.${place}`;
    if (target.tls !== undefined) refuse(`${field}.tls`, networkProxyMissing, 'leave it out');
    if (target.protocol !== undefined) refuse(`${field}.protocol`, networkProxyMissing, 'leave it out');
  }
}

/** What has no effect in this version, outside routes: doubtful, but nothing works wrongly for it. */
export function warnUnavailable(
  options: Partial<Pick<SmartProxyOptions, 'certificates' | 'networkProxy' | 'trustForwarded'>>,
  features: ReadonlySet<Feature>,
): Problem[] {
  if (features.has('network-proxy')) return [];
  return (['certificates', 'networkProxy', 'trustForwarded'] as const)
    .filter((field) => options[field] !== undefined)
    .map((field) => ({ path: field, message: `has no effect: it ${networkProxyMissing}` }));
}
