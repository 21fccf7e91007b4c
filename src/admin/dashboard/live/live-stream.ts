import type { Snapshot, Tick } from '../../live/messages.ts';
import { type AdminApi, ApiError } from '../admin-api/admin-api.ts';
import { EventParser, type StreamEvent } from '../admin-api/event-parser.ts';
import { LiveState } from './live-state.ts';

/** `lost`: it will be tried again. `refused`: a token is needed. `stopped`: the proxy said goodbye. */
export type StreamStatus = 'connecting' | 'live' | 'lost' | 'refused' | 'stopped';

/** A server that says nothing for so long is not there: it has a tick each second. */
const silenceMs = 15_000;
const firstRetryMs = 1_000;
const longestRetryMs = 10_000;

/**
 * Keeps a stream open, and the state with what it says. Fetched rather than an EventSource, which
 * could not send a token.
 */
export class LiveStream {
  readonly state = new LiveState();
  status: StreamStatus = 'connecting';
  readonly #api: AdminApi;
  readonly #listeners = new Set<() => void>();
  #abort = new AbortController();
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #retryMs = firstRetryMs;

  constructor(api: AdminApi) {
    this.#api = api;
  }

  /** Begins, or begins anew. */
  start(): void {
    this.rest();
    this.#abort = new AbortController();
    void this.#follow(this.#abort.signal);
  }

  /** Until the next start nothing is asked for, and what is known stays as it is. */
  rest(): void {
    clearTimeout(this.#retryTimer);
    this.#abort.abort();
  }

  get resting(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Returns what ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const status = await this.#readAll(signal).catch(
      (error: unknown): StreamStatus =>
        error instanceof ApiError && error.status === 401 ? 'refused' : 'lost',
    );
    // What was begun meanwhile has a status of its own.
    if (signal.aborted) return;
    this.#set(status);
    if (status !== 'refused') this.#retry();
  }

  /** Resolves with how it ended. */
  async #readAll(signal: AbortSignal): Promise<StreamStatus> {
    await this.#read(await this.#api.open('/api/v1/stream', signal), signal);
    return this.status === 'stopped' ? 'stopped' : 'lost';
  }

  #retry(): void {
    this.#retryTimer = setTimeout(() => this.start(), this.#retryMs);
    this.#retryMs = Math.min(longestRetryMs, this.#retryMs * 2);
  }

  async #read(answer: Response, signal: AbortSignal): Promise<void> {
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    signal.addEventListener('abort', () => void reader.cancel().catch(() => {}));
    for (;;) {
      const silence = setTimeout(() => void reader.cancel().catch(() => {}), silenceMs);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      for (const event of parser.push(decoder.decode(value, { stream: true }))) this.#take(event);
    }
  }

  #take({ event, data }: StreamEvent): void {
    this.#retryMs = firstRetryMs;
    if (event === 'snapshot') this.state.snapshot(JSON.parse(data) as Snapshot);
    else if (event === 'tick') this.state.apply(JSON.parse(data) as Tick);
    this.#set(event === 'bye' ? 'stopped' : 'live');
  }

  #set(status: StreamStatus): void {
    this.status = status;
    for (const listener of this.#listeners) listener();
  }
}
