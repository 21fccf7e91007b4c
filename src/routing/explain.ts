import { contest } from './contest.ts';
import { connectionRules } from './explain-connection.ts';
import { explainRequest } from './explain-request.ts';
import type { Arrival, ExplainQuery, Explanation } from './explanation.ts';
import { acceptsAt, type ListenerSpec } from './listener-plan.ts';
import type { RouteIndex } from './route-index.ts';

export type { ExplainQuery, Explanation } from './explanation.ts';

/**
 * Says which route a connection takes, or the request on it where the query has one, and for each
 * other route why it does not. It compares the routes one by one and shares nothing with the
 * compiled tables but the rules: a property test holds the two together.
 *
 * @param boundPorts real ports by listener key, for listeners whose configuration says 0
 */
export function explainConnection(
  index: RouteIndex,
  query: ExplainQuery,
  boundPorts: ReadonlyMap<string, number> = new Map(),
): Explanation {
  const listener = listenerFor(index.listeners, query, boundPorts);
  const arrival: Arrival = { ...query, localAddress: query.localAddress ?? arrivalAddress(listener, query) };
  const { winner, candidates } = contest(index.routes, arrival, connectionRules(listener));
  const explained =
    winner === null || query.request === undefined
      ? undefined
      : explainRequest(index.routes, { ...arrival, request: query.request }, listener, winner);
  return {
    ...(explained ?? { route: winner?.name ?? null, candidates }),
    listener: listener?.key ?? null,
  };
}

/** The listener that accepts a connection to this port and address; the first of the plan where none is said. */
function listenerFor(
  listeners: readonly ListenerSpec[],
  { port, localAddress }: ExplainQuery,
  boundPorts: ReadonlyMap<string, number>,
): ListenerSpec | undefined {
  const atPort = listeners.filter((listener) => (boundPorts.get(listener.key) ?? listener.port) === port);
  if (localAddress === null) return atPort[0];
  return (
    atPort.find((listener) => listener.address === localAddress) ??
    atPort.find((listener) => acceptsAt(listener.address, localAddress))
  );
}

/** Where nobody says at which address: the listener's own, or any of the client's family. */
function arrivalAddress(listener: ListenerSpec | undefined, { clientIp }: ExplainQuery): string {
  if (listener !== undefined && listener.address !== null) return listener.address;
  return clientIp.includes(':') ? '::' : '0.0.0.0';
}
