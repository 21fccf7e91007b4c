import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import type { World } from './world.ts';

/** Looked at whenever a connection moves on: no limit is ever exceeded, not even for a moment. */
export function exceededLimit(world: World, record: ConnectionRecord): string | null {
  const { maxConnections, maxConnectionsPerIp } = world.plan.limits;
  const { manager } = world.proxy;
  if (maxConnections > 0 && manager.size > maxConnections) return `${manager.size} connections`;
  const { ip } = record.clientAddress;
  const ofAddress = countAdmitted(world, (other) => other.clientAddress.ip === ip);
  if (maxConnectionsPerIp > 0 && ofAddress > maxConnectionsPerIp) return `${ofAddress} connections of ${ip}`;
  const ofRoute = record.route === null ? 0 : countForwarded(world, record.route.name);
  const routeLimit = record.route?.limits.maxConnections ?? 0;
  return routeLimit > 0 && ofRoute > routeLimit
    ? `${ofRoute} connections of route ${record.route?.name}`
    : null;
}

/** Those that were let in as far as the choice of a route, and hold their slots until they have ended. */
function countAdmitted(world: World, matches: (record: ConnectionRecord) => boolean): number {
  const { stories } = world.witness;
  return world.proxy.manager
    .live()
    .filter((record) => stories.get(record)?.states.includes('routing') && matches(record)).length;
}

function countForwarded(world: World, route: string): number {
  const { stories } = world.witness;
  return world.proxy.manager
    .ofRoute(route)
    .filter((record) => stories.get(record)?.states.includes('dialing')).length;
}
