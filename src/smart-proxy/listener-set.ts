import { errorCode } from '../base/errors.ts';
import type { ListenerSpec } from '../routing/listener-plan.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import { Listener, type ListenerServices } from './listener.ts';

/** New listeners, bound. */
export interface ListenerChange {
  /** Takes over: the listeners that are not wanted any more stop accepting. */
  commit(): void;
  /** Gives them up: everything is as it was. */
  discard(): Promise<void>;
}

/** Every listening socket of one SmartProxy, by key. */
export class ListenerSet {
  readonly #services: ListenerServices;
  readonly #inherited: InheritedSockets;
  #listeners = new Map<string, Listener>();
  /** Beside those of the plan, for a while. A plan that has one of them takes it over. */
  readonly #temporary = new Map<string, Listener>();
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
    for (const listener of this.#temporary.values()) open += listener.openSockets;
    for (const listener of this.#retired) {
      if (listener.openSockets === 0) this.#retired.delete(listener);
      open += listener.openSockets;
    }
    return open;
  }

  /** Whether a listener accepts. */
  has(key: string): boolean {
    return this.#listeners.has(key) || this.#temporary.has(key);
  }

  /** Whether `prepare` would bind anything. */
  binds(plan: readonly ListenerSpec[]): boolean {
    return plan.some(({ key }) => !this.has(key));
  }

  /** Binds one more, which the plan does not have. Rejects as `prepare` does. */
  async addTemporary(spec: ListenerSpec): Promise<void> {
    const listener = new Listener(spec, this.#services);
    await listener.bind(null);
    this.#temporary.set(spec.key, listener);
  }

  /** Stops accepting there; false where a plan has taken it over, or it is gone. */
  removeTemporary(key: string): boolean {
    const listener = this.#temporary.get(key);
    if (listener === undefined) return false;
    this.#temporary.delete(key);
    this.#retire(listener);
    return true;
  }

  /**
   * Binds what is new. Rejects, with everything as it was, where one cannot be bound (R3). What
   * stays is not touched: not one connection is refused meanwhile (R1).
   */
  async prepare(plan: readonly ListenerSpec[]): Promise<ListenerChange> {
    const next = new Map<string, Listener | null>(
      plan.map(({ key }) => [key, this.#listeners.get(key) ?? this.#temporary.get(key) ?? null]),
    );
    const leaving = this.all().filter(({ key }) => !next.has(key));
    const bound: Listener[] = [];
    const displaced: Listener[] = [];
    const discard = async (): Promise<void> => {
      for (const listener of bound) listener.close();
      for (const listener of displaced) await this.#restore(listener);
    };
    try {
      for (const spec of plan) {
        if (next.get(spec.key) !== null) continue;
        const listener = new Listener(spec, this.#services);
        await this.#bind(listener, leaving, displaced);
        bound.push(listener);
        next.set(spec.key, listener);
      }
    } catch (error) {
      await discard();
      throw error;
    }
    return { commit: () => this.#replace(next as Map<string, Listener>), discard };
  }

  /**
   * The kernel does not bind an address beside all addresses of the same port. Where one of ours
   * that is leaving stands in the way, it makes room first: between the two nobody listens, for
   * as long as one system call takes.
   */
  async #bind(listener: Listener, leaving: readonly Listener[], displaced: Listener[]): Promise<void> {
    const fd = this.#inherited.take(listener.spec);
    try {
      await listener.bind(fd);
    } catch (error) {
      const inTheWay = [...leaving, ...this.#temporary.values()].filter(
        ({ port }) => port === listener.spec.port,
      );
      if (errorCode(error) !== 'port-taken' || inTheWay.every((other) => displaced.includes(other)))
        throw error;
      for (const other of inTheWay) if (!this.removeTemporary(other.key)) other.close();
      displaced.push(...inTheWay.filter((other) => leaving.includes(other)));
      await listener.bind(null);
    }
  }

  /** The change was refused: what made room for it listens again. */
  async #restore({ key, spec }: Listener): Promise<void> {
    const listener = new Listener(spec, this.#services);
    await listener.bind(null);
    const former = this.#listeners.get(key);
    if (former !== undefined) this.#retired.add(former);
    this.#listeners.set(key, listener);
  }

  /** Stops accepting everywhere. */
  close(): void {
    for (const key of [...this.#temporary.keys()]) this.removeTemporary(key);
    this.#replace(new Map());
  }

  #retire(listener: Listener): void {
    listener.close();
    this.#retired.add(listener);
  }

  #replace(next: Map<string, Listener>): void {
    for (const [key, listener] of this.#listeners) {
      if (next.get(key) === listener) continue;
      this.#retire(listener);
    }
    for (const key of next.keys()) this.#temporary.delete(key);
    this.#listeners = next;
  }
}
