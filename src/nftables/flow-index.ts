import type { Flow } from './flow.ts';
import type { FlowLine } from './flow-line.ts';

const rememberedLosses = 10_000;

/**
 * Which flow a line is about. Client and address tell flows apart that live at one time; from those
 * before and after it a flow is told by its number. Events are read later than listings, so that either
 * may tell of a successor while the other has yet to tell of the end.
 */
export class FlowIndex {
  /** The latest flow of each key. */
  readonly #latest = new Map<string, Flow>();
  /** Those with a successor whose end was not told yet. */
  readonly #succeeded = new Map<string, Flow>();
  /** Those that were given up of late: an event about them may still come. The oldest are dropped. */
  readonly #lost = new Map<string, Flow>();

  get size(): number {
    return this.#latest.size + this.#succeeded.size;
  }

  /** Flows of which an end should have been told. */
  get overdue(): number {
    return this.#succeeded.size;
  }

  find({ key, id }: FlowLine): Flow | undefined {
    const latest = this.#latest.get(key);
    if (latest?.id === id) return latest;
    if (this.#succeeded.size === 0 && this.#lost.size === 0) return undefined;
    const name = nameOf(key, id);
    return this.#succeeded.get(name) ?? this.#lost.get(name);
  }

  add(flow: Flow): void {
    const known = this.#latest.get(flow.key);
    const older = known === undefined || known.since <= flow.since ? known : flow;
    if (older !== undefined) this.#succeeded.set(nameOf(older.key, older.id), older);
    if (older !== flow) this.#latest.set(flow.key, flow);
  }

  *all(): Iterable<Flow> {
    yield* this.#latest.values();
    yield* this.#succeeded.values();
  }

  /** It will be found by what is still told of it, but it is no more. */
  lose(flow: Flow): void {
    this.forget(flow);
    this.#lost.set(nameOf(flow.key, flow.id), flow);
    if (this.#lost.size > rememberedLosses) this.#lost.delete(this.#lost.keys().next().value ?? '');
  }

  forget(flow: Flow): void {
    if (this.#latest.get(flow.key) === flow) this.#latest.delete(flow.key);
    if (this.#succeeded.size === 0 && this.#lost.size === 0) return;
    const name = nameOf(flow.key, flow.id);
    this.#succeeded.delete(name);
    this.#lost.delete(name);
  }

  clear(): void {
    for (const flows of [this.#latest, this.#succeeded, this.#lost]) flows.clear();
  }
}

function nameOf(key: string, id: number): string {
  return `${key} ${id}`;
}
