import { legalMoves, type TerminationReason } from '../../src/base/termination.ts';
import type { ConnectionManager } from '../../src/connection/connection-manager.ts';
import type { ConnectionObserver } from '../../src/connection/connection-observer.ts';
import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import type { NetworkProxyBridge } from '../../src/forwarding/network-proxy-bridge.ts';
import type { MemoryTransport } from '../../src/transport/memory-transport.ts';
import type { Trace } from './peer.ts';
import { whatIsStuck } from './stuck.ts';

export interface AtCause {
  readonly bytesRead: number;
  /** The client's FIN was read. */
  readonly readEnded: boolean;
  /** Bytes that a peer had not taken: of the client, or of the target. */
  readonly pendingBytes: number;
  /** The target was gone otherwise than by a FIN. */
  readonly targetFailed: boolean;
}

/** What one record went through, written down independently of the manager. */
export interface Story {
  readonly record: ConnectionRecord;
  /** The record itself lets go of its transports at its end. */
  readonly client: MemoryTransport;
  /** As it was when the first cause struck. */
  target: MemoryTransport | null;
  readonly states: string[];
  cleanups: number;
  firstCause: TerminationReason | null;
  causedAt: number;
  /** How long nothing was read when the cause struck. */
  quietMs: number;
  /** What else was so at that moment. */
  atCause: AtCause;
  dialingAt: number;
  handedOverAt: number;
  establishedAt: number;
  ended: number;
  endedAt: number;
  /** How often the bridge's callback came; null: it did not go over a loopback. */
  callbacks: number | null;
}

/** Watches the manager from outside: its observers' calls, and the calls of its own chain. */
export class Witness implements ConnectionObserver {
  readonly stories = new Map<ConnectionRecord, Story>();
  readonly problems: string[] = [];
  refusals = 0;
  readonly #now: () => number;

  readonly #trace: Trace;
  /** Asked after each move: what is wrong now, or null. */
  readonly #check: (record: ConnectionRecord) => string | null;
  /** Asked when the first cause strikes. */
  readonly #checkCause: (story: Story) => string | null;

  constructor(
    now: () => number,
    trace: Trace,
    checks: {
      readonly move: (record: ConnectionRecord) => string | null;
      readonly cause: (story: Story) => string | null;
    },
  ) {
    this.#check = checks.move;
    this.#checkCause = checks.cause;
    this.#now = now;
    this.#trace = trace;
  }

  /** Wraps the links of the chain on this one manager. */
  watch(manager: ConnectionManager): void {
    const initiate = manager.initiateCleanupOnce.bind(manager);
    manager.initiateCleanupOnce = (record, cause) => {
      const story = this.stories.get(record);
      this.#trace(record.id, `cause ${cause.reason}`);
      if (story !== undefined && story.firstCause === null) {
        story.firstCause = cause.reason;
        story.causedAt = this.#now();
        const stuck = whatIsStuck(record);
        if (stuck !== null) this.problems.push(`${record.id}: ${stuck}`);
        story.target = record.target as MemoryTransport | null;
        story.quietMs = this.#now() - Math.max(story.establishedAt, lastReadAt(record));
        story.atCause = stateOf(record);
        const problem = this.#checkCause(story);
        if (problem !== null) this.problems.push(`${record.id}: ${problem}`);
      }
      return initiate(record, cause);
    };
    const cleanup = manager.cleanupConnection.bind(manager);
    manager.cleanupConnection = (record, effect) => {
      const story = this.stories.get(record);
      if (story !== undefined) story.cleanups++;
      cleanup(record, effect);
    };
  }

  /** Wraps the way over the loopback on this one bridge. */
  watchBridge(bridge: NetworkProxyBridge): void {
    const forward = bridge.forwardToNetworkProxy.bind(bridge);
    bridge.forwardToNetworkProxy = (id, socket, record, chunk, port, callback) => {
      const story = this.stories.get(record);
      if (story === undefined || story.callbacks !== null) this.problems.push(`${id}: bridged, but how?`);
      else story.callbacks = 0;
      forward(id, socket, record, chunk, port, (ended) => {
        if (story !== undefined) story.callbacks = (story.callbacks ?? 0) + 1;
        if (ended !== record) this.problems.push(`${id}: the callback is told of ${ended.id}`);
        if (!socket.closed || story?.target?.closed === false)
          this.problems.push(`${id}: the callback comes before both sockets are gone`);
        callback(ended);
      });
    };
  }

  opened(record: ConnectionRecord): void {
    if (this.stories.has(record)) this.problems.push(`${record.id}: opened twice`);
    const story: Story = {
      record,
      client: record.client as MemoryTransport,
      target: null,
      states: [record.state],
      cleanups: 0,
      firstCause: null,
      causedAt: 0,
      quietMs: 0,
      atCause: { bytesRead: 0, readEnded: false, pendingBytes: 0, targetFailed: false },
      dialingAt: 0,
      handedOverAt: 0,
      establishedAt: 0,
      ended: 0,
      endedAt: 0,
      callbacks: null,
    };
    this.stories.set(record, story);
    this.#trace(record.id, `opened for ${record.client.peer.ip}:${record.client.peer.port}`);
    this.#watchStates(record, story);
  }

  #watchStates(record: ConnectionRecord, story: Story): void {
    const transitionTo = record.transitionTo.bind(record);
    record.transitionTo = (state) => {
      const from = record.state;
      const moved = transitionTo(state);
      if (!moved) return false;
      story.states.push(state);
      this.#trace(record.id, state);
      const problem = this.#check(record);
      if (problem !== null) this.problems.push(`${record.id}: ${problem}`);
      if (state === 'dialing') story.dialingAt = this.#now();
      if (state === 'handed-over') story.handedOverAt = this.#now();
      if (state === 'established') story.establishedAt = this.#now();
      if (!legalMoves[from].includes(state))
        this.problems.push(`${record.id}: moved from ${from} to ${state}`);
      return true;
    };
  }

  ended(record: ConnectionRecord): void {
    const story = this.stories.get(record);
    if (story === undefined) {
      this.problems.push(`${record.id}: ended, and was never opened`);
      return;
    }
    story.ended++;
    story.endedAt = this.#now();
    if (!story.client.closed || story.target?.closed === false)
      this.problems.push(`${record.id}: ended with an open socket`);
  }

  refused(): void {
    this.refusals++;
  }
}

function stateOf({ client, target }: ConnectionRecord): AtCause {
  const { bytesRead, readEnded } = client;
  const pendingBytes = Math.max(client.pendingBytes, target?.pendingBytes ?? 0);
  const other = target as MemoryTransport | null;
  return { bytesRead, readEnded, pendingBytes, targetFailed: other?.gone === true && !other.readEnded };
}

function lastReadAt(record: ConnectionRecord): number {
  const ends = [record.client, record.target] as (MemoryTransport | null)[];
  return Math.max(...ends.map((end) => end?.lastReadAt ?? 0));
}
