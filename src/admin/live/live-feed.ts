import type { Writable } from 'node:stream';
import type { Clock, Timer } from '../../base/clock.ts';
import { once } from '../../base/once.ts';
import { LiveTable } from './live-table.ts';
import type { Bye, EndedRow, HistorySample, Overview, Snapshot, Tick } from './messages.ts';
import type { LiveSource } from './source.ts';
import { type News, Viewer } from './viewer.ts';

/** How often viewers are told what has changed. */
const tickMs = 1_000;
/** Connections that are shown, the oldest: a page with more is no help to anybody. */
const maxRows = 10_000;
/** As many ended connections as the proxy keeps. */
const maxEndings = 1_000;
/** A tick that is late has to tell of more seconds than one. */
const latestSeconds = 30;
/** The admin server has other callers, too. */
const maxViewers = 16;

/**
 * What happens, told to everybody who watches. There is one snapshot for each tick, one comparison
 * with the one before, and one text of the difference, however many there are. Nobody watching, there
 * is nothing to do.
 */
export class LiveFeed {
  readonly #clock: Clock;
  readonly #source: LiveSource;
  readonly #table = new LiveTable();
  readonly #viewers = new Set<Viewer>();
  #endings: EndedRow[] = [];
  #endingsSeen = 0;
  /** When the last sample was taken that was told. */
  #sampledAt = '';
  /** Of the last tick. */
  #news: News | null = null;
  #timer: Timer | null = null;
  #stopped = false;

  constructor({ clock, source }: { clock: Clock; source: LiveSource }) {
    this.#clock = clock;
    this.#source = source;
  }

  /** No more viewers are taken. */
  get full(): boolean {
    return this.#stopped || this.#viewers.size >= maxViewers;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Tells what happens until the output is closed. Too many who asked at one moment are sent away again. */
  watch(output: Writable): void {
    const viewer = new Viewer(output, this.#clock.now());
    if (this.full) return void output.end();
    this.#viewers.add(viewer);
    output.on('close', () => this.#left(viewer));
    // The first one wakes it: what it shows is of this moment. Others begin with what everybody knows.
    if (this.#news === null) this.#tick();
    else viewer.offer(this.#clock.now(), this.#news);
  }

  #left(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size === 0) this.#rest();
  }

  /** Forgets what only viewers need. */
  #rest(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#table.clear();
    this.#endings = [];
    this.#endingsSeen = 0;
    this.#news = null;
  }

  /** Says goodbye to everybody. */
  stop(): void {
    this.#stopped = true;
    this.#rest();
    const bye = encode('bye', { reason: 'stopped' });
    for (const viewer of this.#viewers) viewer.end(bye);
  }

  #tick(): void {
    this.#timer = this.#clock.setTimer(tickMs, () => this.#tick());
    const overview = { ...this.#source.overview(), at: this.#clock.wallTime() };
    const { count, rows: endings } = this.#source.endings(this.#endingsSeen);
    this.#endingsSeen = count;
    this.#endings = [...this.#endings, ...endings].slice(-maxEndings);
    const samples = this.#newSamples();
    const change = this.#table.update(this.#source.rows(maxRows));
    this.#news = {
      tick: once(() => encode('tick', { ...overview, ...change, samples, endings })),
      snapshot: once(() => encode('snapshot', this.#snapshot(overview))),
    };
    const now = this.#clock.now();
    for (const viewer of this.#viewers) {
      if (!viewer.offer(now, this.#news)) this.#viewers.delete(viewer);
    }
  }

  #newSamples(): HistorySample[] {
    const samples = this.#source.samples(latestSeconds).filter(({ at }) => at > this.#sampledAt);
    this.#sampledAt = samples.at(-1)?.at ?? this.#sampledAt;
    return samples;
  }

  #snapshot(overview: Overview): Snapshot {
    return {
      ...overview,
      version: this.#source.version,
      measured: this.#source.measured,
      tickMs,
      samples: this.#source.past().filter(({ at }) => at <= this.#sampledAt),
      rows: this.#table.rows,
      endings: this.#endings,
    };
  }
}

/** One server-sent event (WHATWG HTML §9.2). JSON has no line ends. */
function encode(event: string, data: Tick | Snapshot | Bye): Uint8Array {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
