import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import type { Process } from './process.ts';

/** Looked at whenever a connection moves on: no limit is ever exceeded, not even for a moment. */
export function exceededLimit(process: Process, record: ConnectionRecord): string | null {
  const { maxConnections, maxConnectionsPerIp } = process.plan.limits;
  const { manager } = process.proxy;
  if (maxConnections > 0 && manager.size > maxConnections) return `${manager.size} connections`;
  const { ip } = record.clientAddress;
  const ofAddress = countAdmitted(process, (other) => other.clientAddress.ip === ip);
  if (maxConnectionsPerIp > 0 && ofAddress > maxConnectionsPerIp) return `${ofAddress} connections of ${ip}`;
  const ofRoute = record.route === null ? 0 : countForwarded(process, record.route.name);
  const routeLimit = record.route?.limits.maxConnections ?? 0;
  return routeLimit > 0 && ofRoute > routeLimit
    ? `${ofRoute} connections of route ${record.route?.name}`
    : null;
}

/** Those that were let in as far as the choice of a route, and hold their slots until they have ended. */
function countAdmitted(process: Process, matches: (record: ConnectionRecord) => boolean): number {
  const { stories } = process.witness;
  return process.proxy.manager
    .live()
    .filter((record) => stories.get(record)?.states.includes('routing') && matches(record)).length;
}

function countForwarded(process: Process, route: string): number {
  const { stories } = process.witness;
  return process.proxy.manager
    .ofRoute(route)
    .filter((record) => stories.get(record)?.states.includes('dialing')).length;
}
