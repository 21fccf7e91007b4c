import { resolveOptions } from '../../../src/config/resolve.ts';
import type { Limits, ResolvedRoute, RouteContext, Timeouts } from '../../../src/config/resolved.ts';
import type { Route } from '../../../src/config/schema.ts';
import { machine } from '../../config/samples.ts';
import type { ProxyPlan } from '../proxy.ts';
import type { HttpPlan } from './plan.ts';

/** Where the site is. */
export const sitePort = 8080;

/** Every route of the site is a prefix of paths with its name. */
export type RouteName =
  /** Goes away with a reload. It is the first of the site, whose connections are counted as its own. */
  | 'old'
  | 'web'
  /** Three targets, in turn. */
  | 'pair'
  /** One request at a time. */
  | 'few'
  /** Backends are told of the client by a PROXY header. */
  | 'proxied'
  /** Its target is a function, that throws now and then. */
  | 'computed'
  /** Its target is a promise. */
  | 'awaited'
  /** Its head is changed on its way. */
  | 'strip'
  /** Not for everybody. */
  | 'guarded'
  | 'page'
  | 'moved'
  | 'closed'
  | 'reset';

export const removedRoute: RouteName = 'old';
/** The address that may not use `guarded`. */
export const guardedFrom = '192.0.2.3';
export const pageBody = 'a page of our own';

export function proxyPlan(plan: HttpPlan): ProxyPlan {
  const { timeouts, limits, pools, awaits, settles } = plan;
  const routes = (): ResolvedRoute[] => siteRoutes.map((route) => withTerms(route, timeouts, limits));
  return {
    ...{ timeouts, limits, routes },
    reloadedRoutes: () => routes().filter(({ name }) => name !== removedRoute),
    bridge: { mode: 'in-process' },
    proofs: null,
    needsEventLoop: awaits,
    settleMs: settles ? timeouts.poolIdleMs + 1 : null,
    backendLimits: pools,
  };
}

type Action = Route['action'];

function route(name: RouteName, action: Action, changes: Partial<Route> = {}): Route {
  const match = { ports: sitePort, protocol: 'http', domains: 'a.test', path: `/${name}/*` } as const;
  return { name, match, action, ...changes };
}

/** A target that `host` names. In clear text `auto` is HTTP/1.1 too. */
function forward(host: string | ((context: RouteContext) => string | Promise<string>)) {
  return {
    type: 'forward',
    target: { host, port: 9000, protocol: host === 'web' ? 'http1' : 'auto' },
  } as const;
}

const { options } = resolveOptions(
  {
    routes: [
      route('old', forward('old')),
      route('web', forward('web')),
      route('pair', { type: 'forward', target: { host: ['pair-1', 'pair-2', 'pair-3'], port: 9000 } }),
      route('few', forward('few'), { limits: { maxConnections: 1 } }),
      route('proxied', { ...forward('proxied'), sendProxyProtocol: 2 }),
      route('computed', forward(computedHost)),
      route('awaited', forward(awaitedHost)),
      route('strip', {
        ...forward('strip'),
        http: {
          headers: {
            request: { remove: ['X-Padding'], set: { 'X-Set': 'by us' } },
            response: { remove: ['X-Secret'], add: { 'X-Added': 'by us' } },
          },
          hostHeader: 'target',
          stripPrefix: '/strip',
        },
      }),
      route('guarded', forward('guarded'), { security: { block: [guardedFrom] } }),
      route('page', { type: 'respond', status: 200, body: pageBody }),
      route('moved', { type: 'redirect', to: 'https://{host}{path}{query}', status: 308 }),
      route('closed', { type: 'block', how: 'close' }),
      route('reset', { type: 'block', how: 'reset' }),
    ],
  },
  machine,
);

/** Resolved once for all worlds: each has its own terms. */
const siteRoutes = options.routes;

function withTerms(route: ResolvedRoute, timeouts: Timeouts, limits: Limits): ResolvedRoute {
  const { maxConnections } = route.limits;
  const own = { ...limits, maxConnections, maxConnectionsPerIp: 0, connectionsPerMinutePerIp: 0 };
  return { ...route, limits: own, timeouts };
}

/** The number of a request within its connection: the end of its token. */
function numberOf({ request }: RouteContext): number {
  return Number(/r(\d+)$/.exec(request?.path ?? '')?.[1] ?? 0);
}

function computedHost(context: RouteContext): string {
  if (numberOf(context) % 3 === 2) throw new Error('no host for this request');
  return 'computed';
}

function awaitedHost(context: RouteContext): Promise<string> {
  switch (numberOf(context) % 4) {
    case 1:
      return Promise.reject(new Error('no host for this request'));
    case 2:
      return new Promise(() => {});
    case 3:
      return Promise.resolve('not a host');
    default:
      return Promise.resolve('awaited');
  }
}
