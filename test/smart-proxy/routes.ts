import type { ForwardAction, Route } from '../../src/config/schema.ts';

const anywhere = { ports: 0, address: '127.0.0.1' } as const;

type Extras = Partial<Pick<Route, 'timeouts' | 'limits' | 'security' | 'priority'>>;

/** Plain TCP on a free port of the loopback. */
export function tcp(
  target: number,
  extras: Extras & { name?: string; action?: Partial<ForwardAction> } = {},
): Route {
  const { name = 'tcp', action, ...rest } = extras;
  return {
    name,
    match: { ...anywhere },
    action: { type: 'forward', target: { host: '127.0.0.1', port: target }, ...action },
    ...rest,
  };
}

/** TLS by name, on the free port of the loopback that all of them share. */
export function tls(
  domains: string,
  target: number,
  extras: Extras & { action?: Partial<ForwardAction> } = {},
): Route {
  const { action, ...rest } = extras;
  return {
    name: domains,
    match: { ...anywhere, domains },
    action: { type: 'forward', target: { host: '127.0.0.1', port: target }, ...action },
    ...rest,
  };
}

/** Another kind of action on a free port of the loopback. */
export function acting(
  action: Route['action'],
  extras: Extras & { name?: string; domains?: string } = {},
): Route {
  const { name = action.type, domains, ...rest } = extras;
  return { name, match: { ...anywhere, ...(domains !== undefined && { domains }) }, action, ...rest };
}
