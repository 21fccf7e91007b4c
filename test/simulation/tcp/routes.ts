import type { Duplex } from 'node:stream';
import type {
  Limits,
  ResolvedAction,
  ResolvedRoute,
  ResolvedTarget,
  Timeouts,
} from '../../../src/config/resolved.ts';
import type { ProxyPlan } from '../proxy.ts';
import type { LimitPlan, TcpPlan, TimeoutPlan } from './plan.ts';

/** Ports of the simulated proxy and what listens there. */
export const ports = {
  /** One route without a name: no byte is waited for. */
  plain: 5432,
  /** Names `a.test`, `*.b.test`; no default. */
  names: 8443,
  /** Names, and a default without one. */
  mixed: 7443,
  /** Several targets, tried in turn; a PROXY header is sent to them. */
  spread: 6000,
  block: 6001,
  handler: 6002,
  /** Its target is a function, that may throw. */
  computed: 6003,
  /** Its target is a promise, that may be rejected or never settle. */
  awaited: 6004,
  /** Names whose TLS ends at a NetworkProxy behind the loopback bridge. */
  bridged: 9443,
} as const;

/** Where that NetworkProxy listens: its part is played by a scripted backend. */
const bridgePort = 9444;

/** What a reload takes away. */
export const removedRoutes: readonly string[] = ['plain', 'b', 'bridged-b'];

/** Whether users' streams and promises take part. */
export function needsEventLoop(plan: TcpPlan): boolean {
  return plan.clients.some(({ localPort }) => localPort === ports.handler || localPort === ports.awaited);
}

export function proxyPlan(plan: TcpPlan): ProxyPlan {
  const timeouts = timeoutsOf(plan.timeouts);
  const limits = limitsOf(plan.limits);
  const routes = (): ResolvedRoute[] => simulatedRoutes(timeouts, limits);
  return {
    timeouts,
    limits,
    routes,
    reloadedRoutes: () => routes().filter(({ name }) => !removedRoutes.includes(name)),
    bridge: { mode: 'loopback', port: bridgePort, secret: Buffer.from('shared by both processes') },
    proofs: null,
    needsEventLoop: needsEventLoop(plan),
    settleMs: 0,
  };
}

function timeoutsOf(plan: TimeoutPlan): Timeouts {
  return {
    tlsHandshakeMs: 0,
    requestHeadMs: 0,
    requestBodyMs: 0,
    keepAliveMs: 0,
    responseHeadMs: 0,
    responseWriteMs: 0,
    poolIdleMs: 0,
    ...plan,
  };
}

function limitsOf(plan: LimitPlan): Limits {
  return { headerBytes: 65_536, relayBufferBytes: 1_048_576, ...plan };
}

/** Every route of the simulated proxy. */
function simulatedRoutes(timeouts: Timeouts, limits: Limits): ResolvedRoute[] {
  const ownLimits = { ...limits, maxConnections: 0, maxConnectionsPerIp: 0, connectionsPerMinutePerIp: 0 };
  const route = (name: string, port: number, action: ResolvedAction, domains?: string[]) => ({
    name,
    order: 0,
    priority: 0,
    match: {
      ports: [{ from: port, to: port }],
      address: null,
      domains: domains ?? null,
      path: null,
      methods: null,
      headers: null,
      clientIp: null,
      protocol: domains === undefined ? ('tcp' as const) : ('tls' as const),
      alpn: null,
    },
    action,
    tls: null,
    inheritsTls: false,
    security: { allow: [], block: name === 'spread' ? ['192.0.2.3/32'] : [] },
    limits: name === 'spread' ? { ...ownLimits, maxConnections: 1 } : ownLimits,
    timeouts,
    fingerprint: name,
  });
  return [
    route('plain', ports.plain, forward([target('plain')])),
    route('a', ports.names, forward([target('a')]), ['a.test']),
    route('b', ports.names, forward([target('b')], 2), ['*.b.test']),
    route('mixed-a', ports.mixed, forward([target('mixed-a')]), ['a.test']),
    route('mixed-default', ports.mixed, forward([target('mixed-default')])),
    route('spread', ports.spread, forward([target('one'), target('two'), target('three')], 1)),
    route('block', ports.block, { type: 'block', how: 'reset' }),
    route('handler', ports.handler, { type: 'handler', handle: handleByTurns }),
    route('computed', ports.computed, forward([{ ...target(''), host: computedHost }])),
    route('awaited', ports.awaited, forward([{ ...target(''), host: awaitedHost }])),
    terminated(route('bridged-a', ports.bridged, forward([target('a')]), ['a.test'])),
    terminated(route('bridged-b', ports.bridged, forward([target('b')]), ['*.b.test'])),
  ].map((made, order) => ({ ...made, order }));
}

/** TLS ends here. */
function terminated(route: ResolvedRoute): ResolvedRoute {
  const tls = { certificate: { from: 'local' }, clientAuth: null, alpn: [], minVersion: 'TLSv1.2' } as const;
  return { ...route, action: { ...route.action, tls: 'terminate' } as ResolvedAction, tls };
}

const untouched = { remove: [], set: [], add: [] };

function forward(targets: readonly ResolvedTarget[], sendProxyProtocol: 0 | 1 | 2 = 0) {
  return {
    type: 'forward' as const,
    targets,
    tls: 'none' as const,
    engine: 'node' as const,
    nftables: null,
    sendProxyProtocol,
    http: {
      headers: { request: untouched, response: untouched },
      hostHeader: 'preserve' as const,
      stripPrefix: null,
    },
  };
}

function target(host: string) {
  return {
    host,
    port: 9000,
    socket: null,
    weight: 1,
    dns: 'system' as const,
    protocol: 'auto' as const,
    tls: null,
  };
}

/** Fails for one client in four. */
function computedHost(context: { client: { port: number } }): string {
  if (context.client.port % 4 === 0) throw new Error('no host for this client');
  return 'computed';
}

function awaitedHost(context: { client: { port: number } }): Promise<string> {
  switch (context.client.port % 4) {
    case 0:
      return Promise.reject(new Error('no host for this client'));
    case 1:
      return new Promise(() => {});
    case 2:
      return Promise.resolve('not a host');
    default:
      return Promise.resolve('awaited');
  }
}

/** Every way in which a user's function may treat its connection, by the client's port. */
function handleByTurns(stream: Duplex, context: { client: { port: number } }): void | Promise<void> {
  stream.on('error', () => {});
  switch (context.client.port % 7) {
    case 0:
      throw new Error('a handler that throws');
    case 1:
      return Promise.reject(new Error('a handler that rejects'));
    case 2:
      stream.resume();
      stream.end('greeting');
      return;
    case 3:
      stream.end('greeting');
      return;
    case 4:
      stream.once('data', () => stream.destroy());
      return;
    case 5:
      stream.once('data', () => stream.destroy(new Error('a handler that destroys')));
      return;
    default:
      stream.pipe(stream);
  }
}
