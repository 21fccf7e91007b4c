import { legalMoves, type TerminationReason } from '../../src/base/termination.ts';
import type { ConnectionManager } from '../../src/connection/connection-manager.ts';
import type { ConnectionObserver } from '../../src/connection/connection-observer.ts';
import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import type { MemoryTransport } from '../../src/transport/memory-transport.ts';
import type { Trace } from './network.ts';

/** What one record went through, written down independently of the manager. */
export interface Story {
  readonly record: ConnectionRecord;
  readonly states: string[];
  cleanups: number;
  firstCause: TerminationReason | null;
  causedAt: number;
  /** How long nothing was read when the cause struck. */
  quietMs: number;
  dialingAt: number;
  establishedAt: number;
  ended: number;
  endedAt: number;
  /** What the client's and the target's transport had moved when it ended. */
  bytes: { fromClient: number; toTarget: number; fromTarget: number; toClient: number } | null;
}

/** Watches the manager from outside: its observers' calls, and the calls of its own chain. */
export class Witness implements ConnectionObserver {
  readonly stories = new Map<ConnectionRecord, Story>();
  readonly problems: string[] = [];
  refusals = 0;
  readonly #now: () => number;

  readonly #trace: Trace;

  constructor(now: () => number, trace: Trace) {
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
        story.quietMs = this.#now() - Math.max(story.establishedAt, lastReadAt(record));
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

  opened(record: ConnectionRecord): void {
    if (this.stories.has(record)) this.problems.push(`${record.id}: opened twice`);
    const story: Story = {
      record,
      states: [record.state],
      cleanups: 0,
      firstCause: null,
      causedAt: 0,
      quietMs: 0,
      dialingAt: 0,
      establishedAt: 0,
      ended: 0,
      endedAt: 0,
      bytes: null,
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
      if (state === 'dialing') story.dialingAt = this.#now();
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
    const client = record.client as MemoryTransport;
    const target = record.target as MemoryTransport | null;
    story.bytes ??= {
      fromClient: client.bytesRead,
      toClient: client.bytesWritten,
      fromTarget: target?.bytesRead ?? 0,
      toTarget: target?.bytesWritten ?? 0,
    };
    if (!client.closed || target?.closed === false)
      this.problems.push(`${record.id}: ended with an open socket`);
  }

  refused(): void {
    this.refusals++;
  }
}

function lastReadAt(record: ConnectionRecord): number {
  const ends = [record.client, record.target] as (MemoryTransport | null)[];
  return Math.max(...ends.map((end) => end?.lastReadAt ?? 0));
}
