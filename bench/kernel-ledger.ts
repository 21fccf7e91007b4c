/**
 * A SmartProxy with routes for the kernel that keeps a ledger of every record, on the proxy host of
 * nftables.ts. Told what to do over IPC.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Route } from '../src/config/schema.ts';
import type { RecordSummary } from '../src/connection/record-summary.ts';
import { SmartProxy } from '../src/smart-proxy/smart-proxy.ts';
import { programPath } from '../test/support/debian.ts';

/** Records of one route. */
interface Counts {
  opened: number;
  ended: number;
  /** Endings of a record that had ended already, and records like another. */
  doubled: number;
  /** Ended, with the bytes of both directions and an ending that the kernel told. */
  withBytes: number;
}

/** What the ledger says of one route. */
export interface RouteLedger extends Counts {
  /** Flows of the route that the kernel has begun, by its own count. */
  readonly begun: number;
  /** Of all routes. */
  readonly overruns: number;
  readonly inexact: number;
}

export type LedgerTask = 'start' | 'report' | 'load' | 'reload' | 'memory';

const routeCount = 1_000;

class Book {
  /** By port, which a connection has before it has a route. */
  readonly #counts = new Map<number, Counts>();
  readonly #ended = new Set<string>();

  of(port: number): Counts {
    const known = this.#counts.get(port) ?? { opened: 0, ended: 0, doubled: 0, withBytes: 0 };
    this.#counts.set(port, known);
    return known;
  }

  enter(record: RecordSummary): void {
    const { id, client, localPort, startedAt, events, bytes, exact, termination } = record;
    const counts = this.of(localPort);
    // Clients use their ports again: of a flow that is told only when it is gone, the next one on the same
    // port begins at that moment.
    const trail = events.map(({ atMs, what }) => `${what} ${atMs}`);
    const flow = `${client.ip} ${client.port} ${localPort} ${startedAt} ${trail}`;
    counts.ended++;
    if (this.#ended.has(id) || this.#ended.has(flow)) counts.doubled++;
    this.#ended.add(id).add(flow);
    const isTold = exact && /^kernel-(closed|reset)$/.test(termination?.reason ?? '');
    if (isTold && bytes.fromClient > 0 && bytes.toClient > 0) counts.withBytes++;
  }
}

/** `set routes` of the table has a counter for each route; its marks are in the order of the routes. */
async function begun(routes: readonly Route[]): Promise<Map<string, number>> {
  const set = ['list', 'set', 'inet', 'smartproxy_main', 'routes'];
  const { stdout } = await promisify(execFile)(programPath('nft'), set);
  const elements = [...stdout.matchAll(/0x([0-9a-f]{8}) counter packets (\d+)/g)];
  elements.sort(([, one = ''], [, other = '']) => (one < other ? -1 : 1));
  return new Map(routes.map(({ name }, index) => [name, Number(elements[index]?.[2] ?? 0)]));
}

/** Alike in everything but the target's port of the one in the middle. */
function manyRoutes(changedPort: number): Route[] {
  return Array.from({ length: routeCount }, (_, index) => ({
    name: `route-${index}`,
    match: { ports: 10_000 + index },
    action: {
      type: 'forward',
      engine: 'nftables',
      target: { host: '10.71.1.2', port: index === routeCount / 2 ? changedPort : 80 },
    },
  }));
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

const routes = JSON.parse(process.argv[2] ?? '[]') as Route[];
const book = new Book();
const proxy = new SmartProxy({ routes, admin: false, metrics: false });
proxy.on('connection', ({ localPort }) => book.of(localPort).opened++);
proxy.on('connection-closed', (record) => book.enter(record));
let changes = 0;
const change = (): Promise<void> => proxy.updateRoutes(manyRoutes(++changes));

const tasks: Record<LedgerTask, () => unknown> = {
  start: () => proxy.start(),
  async report() {
    const kernel = await begun(routes);
    const { eventOverruns: overruns, inexact } = proxy.getStatistics().nftables;
    const ledger = ({ name, match }: Route): RouteLedger => ({
      ...book.of(Number(match.ports)),
      ...{ begun: kernel.get(name) ?? 0, overruns, inexact },
    });
    return Object.fromEntries(routes.map((route) => [route.name, ledger(route)]));
  },
  async load() {
    await proxy.updateRoutes(routes);
    return timed(change);
  },
  reload: () => timed(change),
  memory: () => process.memoryUsage.rss(),
};

process.on('message', async (task: LedgerTask) => process.send?.((await tasks[task]()) ?? null));
// Whoever started it has gone.
process.on('disconnect', () => process.exit());
