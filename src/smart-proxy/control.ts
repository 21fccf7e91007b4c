import type { ControlPort } from '../admin/control-port.ts';
import { packageVersion } from '../base/package-version.ts';
import { redact } from '../config/redact.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import { findConnections } from '../connection/connection-query.ts';
import { summarize } from '../connection/record-summary.ts';
import type { Assembly } from './assembly.ts';
import { explainRunning } from './explain-running.ts';
import { describeInstance } from './instance.ts';
import { createLiveSource } from './live-source.ts';

export interface ControlledProxy {
  state(): ControlPort['state'];
  /** Null unless it runs. */
  assembly(): Assembly | null;
  statistics(): unknown;
  /** How many reloads there were. */
  reloads(): number;
  /** As it was written. */
  input(): unknown;
  reload(): Promise<void>;
  drain(): void;
}

/** What the admin API may do with a proxy. */
export function createControlPort(proxy: ControlledProxy): ControlPort {
  const manager = () => proxy.assembly()?.manager;
  return {
    get state() {
      return proxy.state();
    },
    live: createLiveSource(proxy, packageVersion()),
    statistics: () => proxy.statistics(),
    connections: () => manager()?.live().map(summarize) ?? [],
    findConnections(query) {
      const { records, total } = findConnections(manager()?.live() ?? [], query);
      return { connections: Iterator.from(records).map(summarize), total };
    },
    connection(id) {
      const summary = manager()?.find(id);
      const waits = manager()?.waitsOf(id);
      return waits === undefined ? summary : { ...summary, waits };
    },
    terminate(id) {
      const record = manager()?.get(id);
      return (
        record !== undefined && (manager()?.initiateCleanupOnce(record, { reason: 'operator' }) ?? false)
      );
    },
    terminations(limit, after) {
      const total = manager()?.ended ?? 0;
      const count = Math.min(limit, Math.max(0, total - after));
      return { terminations: manager()?.terminations(count) ?? [], total };
    },
    routes: () => describeRoutes(proxy.assembly()),
    instance: () => describeInstance(proxy.assembly()?.startedAt ?? null),
    configuration: () => redact(proxy.input()),
    certificates: () => proxy.assembly()?.networkProxy.certificates() ?? [],
    renewCertificate: async (name) => proxy.assembly()?.networkProxy.renew(name),
    metrics: async () => (await proxy.assembly()?.measurement?.text()) ?? null,
    history: (seconds) => proxy.assembly()?.measurement?.history(seconds) ?? [],
    explain: (target, client) => explainRunning(proxy.assembly(), target, client),
    reload: () => proxy.reload(),
    async drain() {
      proxy.drain();
    },
  };
}

function describeRoutes(assembly: Assembly | null): Record<string, unknown>[] {
  if (assembly === null) return [];
  const reportOn = assembly.measurement?.routeReporter();
  return assembly.index.routes.map((route) => ({
    ...describeRoute(route),
    listeners: listenersOf(assembly, route),
    ...reportOn?.(route.name),
    active: assembly.manager.ofRoute(route.name).length,
  }));
}

/** A route as the API shows it: functions are named as such, and nothing in it is secret. */
function describeRoute({ name, priority, match, action, security }: ResolvedRoute): Record<string, unknown> {
  return { name, priority, match: redact(match), action: redact(action), security };
}

/** Where a route takes connections, with the real ports. */
function listenersOf(
  { index, listeners }: Assembly,
  route: ResolvedRoute,
): { address: string; port: number }[] {
  const keys = new Set(index.listeners.filter(({ routes }) => routes.includes(route)).map(({ key }) => key));
  return listeners
    .all()
    .filter(({ key }) => keys.has(key))
    .map(({ address, port }) => ({ address, port }));
}
