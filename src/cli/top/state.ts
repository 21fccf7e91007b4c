import type { RecordSummary } from '../../connection/record-summary.ts';
import type { Pace } from '../screen/connection-columns.ts';
import type { Snapshot } from './feed.ts';

export const orders = [
  { key: 'started', title: 'AGE' },
  { key: 'activity', title: 'IDLE' },
  { key: 'received', title: 'IN' },
  { key: 'sent', title: 'OUT' },
] as const;

/** What fills the screen. */
export type Mode = 'list' | 'filter' | 'confirm' | 'story' | 'help';

/** What is looked at, and how. */
export class TopState {
  mode: Mode = 'list';
  paused = false;
  orderIndex = 0;
  descending = true;
  /** As it is typed: `route=web`, `state=dialing`, `client=10.0.0.0/8`, or a part of the server name. */
  filter = '';
  typed = '';
  selectedId: string | null = null;
  /** What happened to the last thing that was asked for. */
  message = '';
  story: readonly string[] = [];
  snapshot: Snapshot | null = null;
  paces: ReadonlyMap<string, Pace> = new Map();

  /** The newest figures; the selection stays on its connection for as long as it is shown. */
  use(snapshot: Snapshot): void {
    this.paces = pacesBetween(this.snapshot, snapshot);
    this.snapshot = snapshot;
    if (this.selected === undefined) this.selectedId = null;
  }

  get order(): (typeof orders)[number] {
    return orders[this.orderIndex] ?? orders[0];
  }

  get selected(): RecordSummary | undefined {
    return this.snapshot?.connections.find(({ id }) => id === this.selectedId);
  }

  get selectedIndex(): number {
    return this.snapshot?.connections.findIndex(({ id }) => id === this.selectedId) ?? -1;
  }

  select(index: number): void {
    const connections = this.snapshot?.connections ?? [];
    const bounded = Math.max(0, Math.min(index, connections.length - 1));
    this.selectedId = connections[bounded]?.id ?? null;
  }

  /** The question for the connections that are shown, of which no more than `limit` are wanted. */
  query(limit: number): URLSearchParams {
    const query = new URLSearchParams({ limit: String(limit) });
    query.set('sort', `${this.descending ? '-' : ''}${this.order.key}`);
    for (const word of this.filter.split(' ').filter(Boolean)) {
      const [, name, value] = /^(route|state|client|name)=(.*)$/.exec(word) ?? [null, 'name', word];
      query.set(name ?? 'name', value ?? '');
    }
    return query;
  }
}

function pacesBetween(before: Snapshot | null, now: Snapshot): Map<string, Pace> {
  const seconds = before === null ? 0 : (now.at - before.at) / 1000;
  if (before === null || seconds <= 0) return new Map();
  const former = new Map(before.connections.map(({ id, bytes }) => [id, bytes]));
  return new Map(
    now.connections.flatMap(({ id, bytes }) => {
      const then = former.get(id);
      if (then === undefined) return [];
      const perSecond = (from: number, to: number): number => Math.max(0, to - from) / seconds;
      const fromClient = perSecond(then.fromClient, bytes.fromClient);
      return [[id, { fromClient, toClient: perSecond(then.toClient, bytes.toClient) }] as const];
    }),
  );
}
