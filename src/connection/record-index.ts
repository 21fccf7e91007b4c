import type { PeerAddress } from '../base/transport.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import type { ConnectionRecord } from './connection-record.ts';

/** Records of one key, dropped with the last of them. */
class Groups {
  readonly #groups = new Map<string, Set<ConnectionRecord>>();

  add(key: string | undefined, record: ConnectionRecord): void {
    if (key === undefined) return;
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, new Set([record]));
    else group.add(record);
  }

  remove(key: string | undefined, record: ConnectionRecord): void {
    if (key === undefined) return;
    const group = this.#groups.get(key);
    if (group?.delete(record) && group.size === 0) this.#groups.delete(key);
  }

  of(key: string): ConnectionRecord[] {
    return [...(this.#groups.get(key) ?? [])];
  }

  get size(): number {
    return this.#groups.size;
  }
}

/** Live records by id, route and client address; they enter and leave all three together. */
export class RecordIndex {
  readonly #byId = new Map<string, ConnectionRecord>();
  readonly #byRoute = new Groups();
  readonly #byAddress = new Groups();

  get size(): number {
    return this.#byId.size;
  }

  get addresses(): number {
    return this.#byAddress.size;
  }

  add(record: ConnectionRecord): void {
    this.#byId.set(record.id, record);
    this.#byRoute.add(record.route?.name, record);
    this.#byAddress.add(record.clientAddress.ip, record);
  }

  remove(record: ConnectionRecord): void {
    this.#byId.delete(record.id);
    this.#byRoute.remove(record.route?.name, record);
    this.#byAddress.remove(record.clientAddress.ip, record);
  }

  setRoute(record: ConnectionRecord, route: ResolvedRoute): void {
    this.#byRoute.remove(record.route?.name, record);
    record.route = route;
    this.#byRoute.add(route.name, record);
  }

  setClientAddress(record: ConnectionRecord, address: PeerAddress): void {
    this.#byAddress.remove(record.clientAddress.ip, record);
    record.clientAddress = address;
    this.#byAddress.add(address.ip, record);
  }

  get(id: string): ConnectionRecord | undefined {
    return this.#byId.get(id);
  }

  all(): ConnectionRecord[] {
    return [...this.#byId.values()];
  }

  first(limit: number): ConnectionRecord[] {
    return [...this.#byId.values().take(limit)];
  }

  ofRoute(name: string): ConnectionRecord[] {
    return this.#byRoute.of(name);
  }

  ofAddress(ip: string): ConnectionRecord[] {
    return this.#byAddress.of(ip);
  }
}
