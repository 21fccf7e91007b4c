import type { Deadline } from '../base/deadline-queue.ts';
import type { Timeouts } from '../config/resolved.ts';
import type { Selection, SelectionFailure } from '../targets/target-selector.ts';
import type { BackendFailure, ClientStream, RequestChanges, StreamWaiter, Waiting } from './exchange.ts';
import { nameOf } from './pool/backend-spec.ts';
import { RequestContext } from './request-context.ts';
import type { RequestPlanner } from './request-planner.ts';
import type { RequestReport } from './request-report.ts';
import type { RoutePlan } from './route-plan.ts';
import type { StreamSource } from './stream-source.ts';

/** Who looks for a backend: it is told of a stream, or that there is none. */
export interface SearchOwner extends StreamWaiter {
  /** No target is left: the last one's failure; or a target function failed, or took too long. */
  searchFailed(failure: BackendFailure | 'target-selection-failed' | 'target-selection-timeout'): void;
}

const noneTried: ReadonlySet<number> = new Set();
const nothingTried: BackendFailure = {
  code: 'internal-error',
  error: null,
  answered: false,
  unprocessed: true,
};

/**
 * The way of one request to a backend: a target of the route, and a stream out of its pool. A
 * target that cannot be reached is followed by the next, all within `connectMs`.
 */
export class BackendSearch implements StreamSource, Deadline {
  dueAt = 0;
  position = -1;
  readonly #planner: RequestPlanner;
  readonly #client: ClientStream;
  readonly #plan: RoutePlan;
  readonly #owner: SearchOwner;
  readonly #report: RequestReport;
  readonly #context: RequestContext;
  #dueAt: number;
  #tried: Set<number> | null = null;
  #selection: Selection | null = null;
  #waiting: Waiting | null = null;
  #stopped = false;
  #starting = false;
  changes: RequestChanges | null = null;

  constructor(
    planner: RequestPlanner,
    client: ClientStream,
    plan: RoutePlan,
    owner: SearchOwner,
    report: RequestReport,
  ) {
    this.#planner = planner;
    this.#client = client;
    this.#plan = plan;
    this.#owner = owner;
    this.#report = report;
    this.#context = new RequestContext(client.record, client.request, plan.route.name);
    this.#dueAt = client.record.lastActivityAt + plan.route.timeouts.connectMs;
  }

  start(): void {
    this.#starting = true;
    this.#selectTarget(nothingTried);
    this.#starting = false;
  }

  get timeouts(): Timeouts {
    return this.#plan.route.timeouts;
  }

  get now(): number {
    return this.#starting ? this.#client.record.lastActivityAt : this.#planner.services.clock.now();
  }

  /** The chosen target could not be reached. */
  next(failure: BackendFailure): void {
    this.#waiting = null;
    if (this.#selection !== null) {
      this.#tried ??= new Set();
      this.#tried.add(this.#selection.index);
    }
    this.#selectTarget(failure);
  }

  /** The same target again, over a connection that nobody has used. */
  again(): void {
    this.#dueAt = this.now + this.timeouts.connectMs;
    this.#acquire(true);
  }

  found(): void {
    this.#waiting = null;
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting?.cancel();
    this.#waiting = null;
    this.#planner.services.deadlines.remove(this);
    this.#context.abort();
  }

  expire(): void {
    this.#owner.searchFailed('target-selection-timeout');
  }

  #selectTarget(lastFailure: BackendFailure): void {
    const { deadlines } = this.#planner.services;
    const next = this.#plan.selector.next(this.#context, this.#tried ?? noneTried);
    if (!(next instanceof Promise)) return this.#selected(next, lastFailure);
    this.#client.request.keep();
    if (this.timeouts.connectMs > 0) deadlines.schedule(this, this.#dueAt);
    const selected = (selection: Selection | SelectionFailure): void => {
      if (this.#stopped) return;
      deadlines.remove(this);
      this.#selected(selection, lastFailure);
    };
    next.then(selected, (error) => selected({ failed: true, error }));
  }

  #selected(selection: Selection | SelectionFailure | null, lastFailure: BackendFailure): void {
    if (selection === null) return this.#owner.searchFailed(lastFailure);
    if ('failed' in selection) return this.#owner.searchFailed('target-selection-failed');
    this.#selection = selection;
    this.#acquire(false);
  }

  #acquire(fresh: boolean): void {
    const { record, request } = this.#client;
    const selection = this.#selection as Selection;
    const { trace } = this.#report;
    this.changes = this.#planner.changesFor(this.#plan, this.#client, selection.endpoint, trace);
    this.#report.notes?.acquiring(nameOf(selection.endpoint));
    const pool = this.#plan.poolOf(selection, record);
    const waiting = pool.acquire(this.#owner, fresh, this.#millisecondsLeft());
    if (waiting === null) return;
    request.keep();
    this.#waiting = waiting;
  }

  #millisecondsLeft(): number {
    if (this.timeouts.connectMs === 0) return 0;
    return Math.max(1, this.#dueAt - this.now);
  }
}
