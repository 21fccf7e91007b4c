import type { Route, RouteTarget } from '../admin-api/answers.ts';
import { endpoint } from '../words/endpoints.ts';

/** What a route takes, in short pieces: `:8443`, `a.test`, `/api/*`. */
export function matchWords({ match, listeners }: Route): string[] {
  const { domains, path, methods, clientIp, headers, protocol } = match;
  return [
    protocol,
    ...listeners.map(({ address, port }) => endpoint(address, port)),
    ...(domains ?? []),
    ...(path ?? []),
    ...(methods ?? []),
    ...Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(clientIp ?? []).map((network) => `from ${network}`),
  ];
}

/** What a route does, as a sentence begins. */
export function actionWords({ action }: Route): string {
  switch (action.type) {
    case 'forward': {
      if (action.engine === 'nftables') return 'the kernel forwards to';
      return action.tls === 'none' || action.tls === 'passthrough'
        ? 'forwards the bytes to'
        : 'ends TLS and forwards requests to';
    }
    case 'redirect':
      return `redirects to ${action.to} (${action.status})`;
    case 'respond':
      return `answers ${action.status} by itself`;
    case 'block':
      return action.how === 'reset' ? 'refuses with a reset' : 'refuses';
    case 'handler':
      return 'gives them to a handler of the program';
  }
}

export function targetsOf({ action }: Route): readonly RouteTarget[] {
  return action.type === 'forward' ? action.targets : [];
}

/** As pools and records name it. Functions are known only when they are asked. */
export function targetPlace({ host, port, socket }: RouteTarget): string {
  if (socket !== null) return socket;
  if (host === 'function' || typeof port !== 'number') return `${host}:${port}`;
  return endpoint(host ?? '', port);
}
