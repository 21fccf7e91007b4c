import { normalizeAddress } from '../base/address.ts';
import { SmartProxyError } from '../base/errors.ts';
import type { Endpoint } from '../base/transport.ts';
import type { ResolvedTarget, RouteContext } from '../config/resolved.ts';

/** A target that was chosen. `index` is its place in the route's list, for the caller to remember as tried. */
export interface Selection {
  readonly index: number;
  readonly endpoint: Endpoint;
}

/** A target function threw, rejected or gave nonsense: the reason `target-selection-failed`. */
export interface SelectionFailure {
  readonly failed: true;
  readonly error: unknown;
}

/**
 * Chooses among the targets of a route by smooth weighted round-robin: each pick adds every
 * weight to its target's score, takes the highest and lowers it by the sum, so that a heavy
 * target's turns are spread out instead of bunched together.
 */
export class TargetSelector {
  readonly #targets: readonly ResolvedTarget[];
  readonly #scores: number[];
  /** What is the same for every connection; null where it has to be made. */
  readonly #fixed: readonly (Selection | null)[];

  /** Targets with weight 0 are never chosen. */
  constructor(targets: readonly ResolvedTarget[]) {
    this.#targets = targets;
    this.#scores = targets.map(() => 0);
    this.#fixed = targets.map(fixedSelection);
  }

  /**
   * The next target of a connection, leaving out those in `tried`; null when none is left.
   * A promise only where a function of the target gives one; it never rejects. How long to wait
   * for it is the caller's to say, and it may be dropped.
   */
  next(
    context: RouteContext,
    tried: ReadonlySet<number>,
  ): Selection | SelectionFailure | null | Promise<Selection | SelectionFailure> {
    const index = this.#pick(tried);
    if (index < 0) return null;
    return this.#fixed[index] ?? resolve(index, this.#targets[index]!, context);
  }

  #pick(tried: ReadonlySet<number>): number {
    let best = -1;
    let sum = 0;
    for (let i = 0; i < this.#targets.length; i++) {
      const { weight } = this.#targets[i]!;
      if (weight <= 0 || tried.has(i)) continue;
      sum += weight;
      this.#scores[i]! += weight;
      if (best < 0 || this.#scores[i]! > this.#scores[best]!) best = i;
    }
    if (best >= 0) this.#scores[best]! -= sum;
    return best;
  }
}

function fixedSelection({ host, port, socket, dns }: ResolvedTarget, index: number): Selection | null {
  if (socket !== null) return Object.freeze({ index, endpoint: Object.freeze({ socket }) });
  if (typeof host !== 'string' || typeof port !== 'number') return null;
  return Object.freeze({ index, endpoint: Object.freeze({ host, port, dns }) });
}

function resolve(
  index: number,
  target: ResolvedTarget,
  context: RouteContext,
): Selection | SelectionFailure | Promise<Selection | SelectionFailure> {
  try {
    const host = currentValue(target.host, context);
    if (isThenable(host)) return resolveLater(index, target, context, host);
    const port = currentValue(target.port, context);
    if (isThenable(port)) return resolveLater(index, target, context, host, port);
    return { index, endpoint: endpointOf(host, port, target) };
  } catch (error) {
    return { failed: true, error };
  }
}

/** Both functions run side by side. A failure of either is the outcome, and neither is left unheard. */
async function resolveLater(
  index: number,
  target: ResolvedTarget,
  context: RouteContext,
  host: unknown,
  ...known: unknown[]
): Promise<Selection | SelectionFailure> {
  try {
    const port = known.length > 0 ? known[0] : startPort(target, context);
    const [hostValue, portValue] = await Promise.all([host, port]);
    return { index, endpoint: endpointOf(hostValue, portValue, target) };
  } catch (error) {
    return { failed: true, error };
  }
}

/** As a promise even where it throws, because the host's promise is already under way. */
async function startPort(target: ResolvedTarget, context: RouteContext): Promise<unknown> {
  return currentValue(target.port, context);
}

function currentValue(
  field: ResolvedTarget['host'] | ResolvedTarget['port'],
  context: RouteContext,
): unknown {
  if (field === 'preserve') return context.localPort;
  return typeof field === 'function' ? field(context) : field;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

function endpointOf(host: unknown, port: unknown, { dns }: ResolvedTarget): Endpoint {
  const name = typeof host === 'string' ? hostOf(host) : undefined;
  if (name === undefined) throw nonsense('host', host, 'a host name or an address');
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw nonsense('port', port, 'a port from 1 to 65535');
  }
  return { host: name, port, dns };
}

/** RFC 1123 §2.1, with the underscore that names in use have. */
const hostName =
  /^(?=.{1,253}\.?$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

function hostOf(text: string): string | undefined {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  // A zone id must reach the dial: fe80::1 means nothing without it.
  if (normalizeAddress(bare) !== undefined) return bare.includes('%') ? bare : normalizeAddress(bare);
  return hostName.test(text) ? text : undefined;
}

function nonsense(what: string, value: unknown, wanted: string): SmartProxyError {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : String(value);
  return new SmartProxyError('target-selection-failed', `the target's ${what} is ${shown}, not ${wanted}`, {
    source: 'config',
  });
}
