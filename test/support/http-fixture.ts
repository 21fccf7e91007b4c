/** NetworkProxy behind a fixture: routes that it serves, a backend of Node's own, and what was logged of requests. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Route, SmartProxyOptions } from '../../src/config/schema.ts';
import type { RequestEntry } from '../../src/network-proxy/access-log.ts';
import { ProxyFixture } from './proxy-fixture.ts';
import { type Workspace, waitUntil } from './workspace.ts';

export type Http = NonNullable<Extract<Route['action'], { type: 'forward' }>['http']>;
export type Match = Omit<Route['match'], 'ports' | 'address'>;

/** Starts a proxy that has NetworkProxy and logs requests; what it writes stays in the workspace. */
export async function startHttpProxy(
  workspace: Workspace,
  routes: Route[],
  options: Omit<SmartProxyOptions, 'routes'> = {},
): Promise<ProxyFixture> {
  const stateDirectory = workspace.path('state');
  return ProxyFixture.start(workspace, routes, { log: { requests: true }, stateDirectory, ...options });
}

/** A clear-text HTTP route on a free port of 127.0.0.1. */
export function httpRoute(name: string, port: number, http: Http = {}, match: Match = {}): Route {
  return {
    name,
    match: { ports: 0, address: '127.0.0.1', protocol: 'http', ...match },
    action: { type: 'forward', target: { host: '127.0.0.1', port }, http },
  };
}

/** A site whose TLS ends at the proxy, with a certificate of the local authority unless told otherwise. */
export function siteRoute(
  name: string,
  port: number,
  tls: Partial<Extract<NonNullable<Extract<Route['action'], { type: 'forward' }>['tls']>, object>> = {},
): Route {
  return {
    name,
    match: { ports: 0, address: '127.0.0.1', domains: name },
    action: {
      type: 'forward',
      target: { host: '127.0.0.1', port },
      tls: { mode: 'terminate', certificate: 'local', ...tls },
    },
  };
}

/** The requests that were logged, in the order in which they were over; waits for this many. */
export async function requestsOf(fixture: ProxyFixture, count: number): Promise<RequestEntry[]> {
  const logged = () => fixture.log.lines.filter(({ event }) => event === 'request');
  await waitUntil(`${count} requests to be logged`, () => logged().length >= count || undefined);
  const entries = logged().map(({ fields }) => fields as unknown as RequestEntry);
  assert.equal(entries.length, count);
  return entries;
}

/** An HTTP server of Node on a free port of 127.0.0.1. */
export async function startNodeServer(workspace: Workspace, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** What a backend tells of the request that it got. */
export interface Seen {
  method: string;
  url: string;
  headers: Record<string, string>;
  length: number;
  sha256: string;
}

/** Reads the whole request and answers with what it saw, as JSON. */
export async function tellSeen(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of request) {
    hash.update(chunk);
    length += chunk.length;
  }
  const { method, url, headers } = request;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ method, url, headers, length, sha256: hash.digest('hex') }));
}
