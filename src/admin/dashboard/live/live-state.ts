import type { EndedRow, LiveRow, Overview, Snapshot, Tick } from '../../live/messages.ts';
import { RouteTraffic } from './route-traffic.ts';
import { Samples } from './samples.ts';
import { ShownConnection } from './shown-connection.ts';

/** As many as the proxy keeps. */
const maxEndings = 1_000;

/** Everything that the stream has told, as of the last message. It only takes messages; it asks for nothing. */
export class LiveState {
  readonly connections = new Map<string, ShownConnection>();
  readonly samples = new Samples();
  routes = new RouteTraffic();
  /** Newest last. */
  endings: readonly EndedRow[] = [];
  overview: Overview | null = null;
  version = '';
  measured = true;
  /** Counts messages: what it was told in the last one is of this number. */
  tick = 0;

  snapshot(snapshot: Snapshot): void {
    this.tick++;
    this.overview = snapshot;
    this.version = snapshot.version;
    this.connections.clear();
    for (const row of snapshot.rows) this.connections.set(row.id, new ShownConnection(row));
    this.endings = snapshot.endings;
    this.samples.reset(snapshot.samples);
    this.measured = snapshot.measured;
    this.routes = new RouteTraffic();
    this.routes.close(this.#activeByRoute(), 1);
  }

  apply(tick: Tick): void {
    const seconds = Math.max(0.001, (tick.at - (this.overview?.at ?? 0)) / 1000);
    this.tick++;
    this.overview = tick;
    this.samples.add(tick.samples);
    for (const row of tick.endings) this.#last(row);
    for (const id of tick.gone) this.connections.delete(id);
    for (const row of tick.rows) this.#changed(row, seconds);
    for (const [id, fromClient, toClient] of tick.moves) this.#moved(id, fromClient, toClient, seconds);
    this.routes.close(this.#activeByRoute(), seconds);
    if (tick.endings.length > 0) this.endings = [...this.endings, ...tick.endings].slice(-maxEndings);
  }

  #changed(row: LiveRow, seconds: number): void {
    const known = this.connections.get(row.id);
    if (known === undefined) {
      const shown = new ShownConnection({ ...row, fromClient: 0, toClient: 0 });
      this.connections.set(row.id, shown);
      this.routes.passed(row.route, shown.move(row.fromClient, row.toClient, this.tick, seconds));
      shown.row = row;
      return;
    }
    known.row = row;
    this.#moved(row.id, row.fromClient, row.toClient, seconds);
  }

  #moved(id: string, fromClient: number, toClient: number, seconds: number): void {
    const known = this.connections.get(id);
    if (known === undefined) return;
    this.routes.passed(known.row.route, known.move(fromClient, toClient, this.tick, seconds));
  }

  /** What an ended connection passed since it was last told of; one that came and went within a tick, all of it. */
  #last({ id, route, fromClient, toClient }: EndedRow): void {
    const before = this.connections.get(id)?.bytes ?? { fromClient: 0, toClient: 0 };
    this.routes.passed(route, {
      fromClient: fromClient - before.fromClient,
      toClient: toClient - before.toClient,
    });
  }

  #activeByRoute(): Map<string, number> {
    const active = new Map<string, number>();
    for (const { row } of this.connections.values()) {
      if (row.route !== null) active.set(row.route, (active.get(row.route) ?? 0) + 1);
    }
    return active;
  }
}
