import type { ListenerSpec } from '../routing/listener-plan.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import { Listener, type ListenerServices } from './listener.ts';

/** New listeners, bound, and nothing else changed yet. One of the two is called, once. */
export interface ListenerChange {
  /** Takes over: the listeners that are not wanted any more stop accepting. */
  commit(): void;
  /** Closes the new ones. */
  rollback(): void;
}

/** Every listening socket of one SmartProxy, by key. */
export class ListenerSet {
  readonly #services: ListenerServices;
  readonly #inherited: InheritedSockets;
  #listeners = new Map<string, Listener>();
  /** Closed for new connections, but not empty yet: their sockets still count. */
  readonly #retired = new Set<Listener>();

  constructor(services: ListenerServices, inherited: InheritedSockets) {
    this.#services = services;
    this.#inherited = inherited;
  }

  /** In the order of the plan. */
  all(): Listener[] {
    return [...this.#listeners.values()];
  }

  /** Accepted sockets that are still open. */
  get openSockets(): number {
    let open = 0;
    for (const listener of this.#listeners.values()) open += listener.openSockets;
    for (const listener of this.#retired) {
      if (listener.openSockets === 0) this.#retired.delete(listener);
      open += listener.openSockets;
    }
    return open;
  }

  /**
   * Binds what is new. Rejects, with everything as it was, where one cannot be bound (R3). What
   * stays is not touched: not one connection is refused meanwhile (R1).
   */
  async prepare(plan: readonly ListenerSpec[]): Promise<ListenerChange> {
    const next = new Map<string, Listener>();
    const bound: Listener[] = [];
    const rollback = (): void => {
      for (const listener of bound) listener.close();
    };
    try {
      for (const spec of plan) {
        const kept = this.#listeners.get(spec.key);
        const listener = kept ?? new Listener(spec, this.#services);
        next.set(spec.key, listener);
        if (kept !== undefined) continue;
        await listener.bind(this.#inherited.take(spec));
        bound.push(listener);
      }
    } catch (error) {
      rollback();
      throw error;
    }
    return { commit: () => this.#replace(next), rollback };
  }

  /** Stops accepting everywhere. */
  close(): void {
    this.#replace(new Map());
  }

  #replace(next: Map<string, Listener>): void {
    for (const [key, listener] of this.#listeners) {
      if (next.get(key) === listener) continue;
      listener.close();
      this.#retired.add(listener);
    }
    this.#listeners = next;
  }
}
