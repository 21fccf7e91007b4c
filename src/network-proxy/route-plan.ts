import { resolveHttp } from '../config/resolve-http.ts';
import type { ResolvedForward, ResolvedRoute } from '../config/resolved.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { Selection, TargetSelector } from '../targets/target-selector.ts';
import { encodeProxyHeader } from '../transport/proxy-header.ts';
import { HeaderRules } from './headers/header-rules.ts';
import type { KeptPool, Pools } from './pool/pools.ts';

export type ForwardRoute = ResolvedRoute & { readonly action: ResolvedForward };

/** What is made of a route once, for all of its requests. */
export class RoutePlan {
  readonly route: ResolvedRoute;
  readonly rules: HeaderRules;
  readonly selector: TargetSelector;
  readonly #pools: Pools;
  /** By the place of the target, where the target is the same for every request. */
  readonly #remembered: (KeptPool | undefined)[] = [];

  constructor(route: ResolvedRoute, selector: TargetSelector, pools: Pools) {
    const { action } = route;
    this.route = route;
    this.rules = new HeaderRules(action.type === 'forward' ? action.http : resolveHttp(undefined));
    this.selector = selector;
    this.#pools = pools;
  }

  poolOf({ index, endpoint }: Selection, record: ConnectionRecord): KeptPool {
    const remembered = this.#remembered[index];
    if (remembered !== undefined && !remembered.closed) return remembered;
    const { sendProxyProtocol, targets } = this.route.action as ResolvedForward;
    const { protocol, tls, host, port } = targets[index]!;
    const proxyHeader = sendProxyProtocol === 0 ? null : proxyHeaderOf(record, sendProxyProtocol);
    const spec = { endpoint, protocol, tls, proxyHeader };
    const pool = this.#pools.of(spec, this.route.timeouts.poolIdleMs);
    const fixed = typeof host !== 'function' && typeof port !== 'function' && port !== 'preserve';
    if (fixed && proxyHeader === null) this.#remembered[index] = pool;
    return pool;
  }
}

/** The same for every request of a client's connection: its requests may share a backend's. */
function proxyHeaderOf(record: ConnectionRecord, version: 1 | 2): Uint8Array {
  return encodeProxyHeader(version, {
    source: record.clientAddress,
    destination: record.outer?.destination ?? { ip: record.client.local.ip, port: record.localPort },
    tlvs: { uniqueId: record.id },
  });
}
