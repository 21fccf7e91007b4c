import { type Initiator, reasonInitiators, type TerminationReason } from '../base/termination.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';

/** Label values by name. Made once for each series, so that whoever writes them may keep the text. */
export type Labels = Readonly<Record<string, string>>;

/** A count, and the labels that it is told with. */
export interface Series<Names extends Labels = Labels> {
  readonly labels: Names;
  value: number;
}

export type EndingLabels = Labels & {
  readonly reason: TerminationReason;
  readonly initiator: Initiator;
  readonly phase: string;
};

/** What was counted of one route. Only ever goes up, but for `active`. */
export class RouteFigures {
  readonly route: string;
  readonly labels: Labels;
  readonly fromClientLabels: Labels;
  readonly toClientLabels: Labels;
  active = 0;
  opened = 0;
  ended = 0;
  requestCount = 0;
  /** Of connections that have ended. */
  readonly bytes = { fromClient: 0, toClient: 0 };
  readonly #endings = new Map<TerminationReason, Map<string, Series<EndingLabels>>>();
  readonly #requests = new Map<string, Map<string, Series>>();

  constructor(route: string) {
    this.route = route;
    this.labels = { route };
    this.fromClientLabels = { route, direction: 'from_client' };
    this.toClientLabels = { route, direction: 'to_client' };
  }

  connectionEnded(record: ConnectionRecord): void {
    const { reason = 'internal-error', phase = 'accepted' } = record.termination ?? {};
    this.active--;
    this.ended++;
    this.bytes.fromClient += record.bytesFromClient;
    this.bytes.toClient += record.bytesToClient;
    const byPhase = innerMap(this.#endings, reason);
    const series = byPhase.get(phase);
    if (series !== undefined) series.value++;
    else byPhase.set(phase, { labels: this.#endingLabels(reason, phase), value: 1 });
  }

  #endingLabels(reason: TerminationReason, phase: string): EndingLabels {
    return { route: this.route, reason, initiator: reasonInitiators[reason], phase };
  }

  /** Both texts come from small sets. */
  requestOver(method: string, status: string): void {
    this.requestCount++;
    const byStatus = innerMap(this.#requests, method);
    const series = byStatus.get(status);
    if (series !== undefined) series.value++;
    else byStatus.set(status, { labels: { route: this.route, method, status }, value: 1 });
  }

  *endings(): Iterable<Series<EndingLabels>> {
    for (const byPhase of this.#endings.values()) yield* byPhase.values();
  }

  *requests(): Iterable<Series> {
    for (const byStatus of this.#requests.values()) yield* byStatus.values();
  }
}

function innerMap<Key, Value>(map: Map<Key, Map<string, Value>>, key: Key): Map<string, Value> {
  let inner = map.get(key);
  if (inner === undefined) {
    inner = new Map();
    map.set(key, inner);
  }
  return inner;
}
