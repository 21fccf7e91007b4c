import { type Logger, silentLogger } from '../../src/base/logger.ts';
import type { Timeouts } from '../../src/config/resolved.ts';
import { ConnectionManager } from '../../src/connection/connection-manager.ts';
import type { ConnectionObserver } from '../../src/connection/connection-observer.ts';
import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import { TimeoutManager } from '../../src/connection/timeout-manager.ts';
import {
  type MemoryOptions,
  type MemoryTransport,
  memoryPair,
} from '../../src/transport/memory-transport.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const timeouts: Timeouts = {
  initialDataMs: 15_000,
  connectMs: 5_000,
  tlsHandshakeMs: 10_000,
  inactivityMs: 3_600_000,
  halfCloseMs: 300_000,
  stalledWriteMs: 300_000,
  maxLifetimeMs: 0,
  cleanupGraceMs: 2_000,
  shutdownGraceMs: 30_000,
  requestHeadMs: 30_000,
  requestBodyMs: 60_000,
  keepAliveMs: 75_000,
  responseHeadMs: 60_000,
  responseWriteMs: 60_000,
  poolIdleMs: 4_000,
};

/** A manager on a virtual clock, with connections in memory. */
export class Table {
  readonly clock = new VirtualClock();
  readonly timeoutManager = new TimeoutManager(this.clock);
  readonly manager: ConnectionManager;

  constructor(observers: ConnectionObserver[] = [], log: Logger = silentLogger) {
    this.manager = new ConnectionManager({
      clock: this.clock,
      timeouts: this.timeoutManager,
      log,
      observers,
    });
  }

  pair(options: Partial<MemoryOptions> = {}): [MemoryTransport, MemoryTransport] {
    return memoryPair({ clock: this.clock, ...options });
  }

  /** A record that was just accepted, and the client's own end of it. */
  accept(changes: Partial<Timeouts> = {}, options: Partial<MemoryOptions> = {}): Accepted {
    const [client, near] = this.pair(options);
    const record = this.manager.createConnection(near, {
      localPort: 443,
      timeouts: { ...timeouts, ...changes },
    });
    return { client, record };
  }

  /** A record with a target, in state `established`, and both far ends. */
  join(
    changes: Partial<Timeouts> = {},
    options: Partial<MemoryOptions> = {},
  ): Accepted & { target: MemoryTransport } {
    const { client, record } = this.accept(changes, options);
    const [target, near] = this.pair(options);
    this.manager.transition(record, 'routing');
    this.manager.transition(record, 'dialing');
    this.manager.transition(record, 'established');
    record.target = near;
    record.joined = true;
    return { client, record, target };
  }
}

export interface Accepted {
  client: MemoryTransport;
  record: ConnectionRecord;
}

/** A far end that reads, and remembers what it saw. */
export function watch(transport: MemoryTransport): { seen: string[]; bytes: () => string } {
  const seen: string[] = [];
  const chunks: string[] = [];
  transport.setListener({
    onData: (bytes) => chunks.push(Buffer.from(bytes).toString('latin1')),
    onEnd: () => seen.push('end'),
    onDrain() {},
    onFinish() {},
    onError: (error) => seen.push((error as NodeJS.ErrnoException).code ?? error.message),
    onClose: () => seen.push('close'),
  });
  transport.resume();
  return { seen, bytes: () => chunks.join('') };
}
