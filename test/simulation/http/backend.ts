import type { Clock } from '../../../src/base/clock.ts';
import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import { type Deed, Peer, type Trace } from '../peer.ts';
import { answerPlan, type BackendAct } from './answers.ts';
import type { Arrival, Journal } from './journal.ts';
import { AnswerReader, isInterim, type Message, RequestReader } from './message-reader.ts';

/** What a backend does on a connection whatever it is asked. */
export interface BackendPlan {
  readonly leaves: { readonly afterMs: number; readonly deed: Deed } | null;
  /** It reads nothing for a while. */
  readonly pauses: { readonly afterMs: number; readonly forMs: number } | null;
}

/** What a backend is in its world. */
export interface BackendRole {
  readonly host: string;
  readonly plan: BackendPlan;
  readonly seed: number;
  readonly journal: Journal;
}

/** What the proxy had read of this connection when it began to write something. */
export interface ProxyWrite {
  /** Of all writes to backends. */
  readonly order: number;
  /** Where it begins in what the backend receives. */
  readonly from: number;
  readonly bytesRead: number;
  readonly readEnded: boolean;
}

/** One connection of a backend that speaks HTTP/1: answers each request by what the seed says of it. */
export class HttpBackend extends Peer {
  readonly role: BackendRole;
  readonly reader: RequestReader;
  /** What came over this connection, in order. */
  readonly arrivals: Arrival[] = [];
  /** Every write of the proxy's to this connection. */
  readonly writes: ProxyWrite[] = [];
  /** A PROXY header that has to come first, as far as it came. */
  proxyHeader: Buffer | null;
  /** Where in what it sends begins what nobody asked for; it answers nothing any more. */
  unaskedFrom: number | null = null;
  /** Where HTTP is over: in what it received and in what it sent. */
  tunnel: { readonly received: number; readonly sent: number } | null = null;
  readonly problems: string[] = [];
  #receivedBytes = 0;
  #writtenBytes = 0;

  constructor(name: string, role: BackendRole, clock: Clock, trace: Trace | null) {
    super(name, clock, trace);
    this.role = role;
    this.proxyHeader = role.host === 'proxied' ? Buffer.alloc(0) : null;
    this.reader = new RequestReader({
      onHead: (message) => this.#requested(message),
      onComplete: (message) => this.#completed(message),
      onNonsense: (why) => void this.problems.push(`the proxy sent nonsense: ${why}`),
    });
  }

  override connect(near: MemoryTransport, far: MemoryTransport): void {
    const write = far.write.bind(far);
    far.write = (bytes, loan) => {
      const from = far.bytesWritten + far.pendingBytes;
      const { bytesRead, readEnded } = far;
      if (!far.gone && !far.writeEnded)
        this.writes.push({ order: this.role.journal.writes++, from, bytesRead, readEnded });
      return write(bytes, loan);
    };
    super.connect(near, far);
  }

  protected override begin(): void {
    const { leaves, pauses } = this.role.plan;
    this.near?.resume();
    if (leaves !== null) this.clock.setTimer(leaves.afterMs, () => this.do(leaves.deed));
    if (pauses === null) return;
    this.clock.setTimer(pauses.afterMs, () => this.do('pause'));
    this.clock.setTimer(pauses.afterMs + pauses.forMs, () => this.do('resume'));
  }

  protected override heard(bytes: Uint8Array): void {
    this.#receivedBytes += bytes.length;
    if (this.tunnel !== null) {
      if (this.arrivals.at(-1)?.plan.echoes === true) this.#send(bytes);
      return;
    }
    this.reader.read(this.#afterProxyHeader(bytes));
  }

  /** The bytes behind a PROXY header of version 2. */
  #afterProxyHeader(bytes: Uint8Array): Uint8Array {
    const earlier = this.proxyHeader;
    if (earlier === null || isWholeHeader(earlier)) return bytes;
    const all = Buffer.concat([earlier, bytes]);
    if (all.compare(signature, 0, Math.min(12, all.length), 0, Math.min(12, all.length)) !== 0)
      this.problems.push('no PROXY header came first');
    const length = all.length < 16 ? all.length : Math.min(all.length, 16 + all.readUInt16BE(14));
    this.proxyHeader = all.subarray(0, length);
    return all.subarray(length);
  }

  #requested(message: Message): void {
    const { seed, journal } = this.role;
    const token = /\/(c\d+r\d+)\b/.exec(message.startLine)?.[1];
    if (token === undefined) return void this.problems.push(`a request of nobody: ${message.startLine}`);
    const last = this.arrivals.at(-1);
    if (last !== undefined && last.answerTo === null && this.unaskedFrom === null)
      this.problems.push(`${token} came before ${last.token} was answered`);
    const attempt = journal.arrivalsOf(token).length;
    const asking = {
      token,
      method: message.startLine.split(' ')[0] ?? '',
      upgrade: message.fields.has('upgrade'),
      expects: message.fields.has('expect'),
    };
    const plan = answerPlan(seed, asking, attempt);
    const answerFrom = this.#writtenBytes;
    const arrival: Arrival = { token, attempt, backend: this, message, plan, answerFrom, answerTo: null };
    this.note(`${message.startLine} (attempt ${attempt}, will answer ${plan.status} ${plan.framing})`);
    this.arrivals.push(arrival);
    journal.arrived(arrival);
    if (plan.when === 'head') this.#act(arrival, 0);
  }

  #completed(message: Message): void {
    const arrival = this.arrivals.at(-1);
    if (arrival?.message === message && arrival.plan.when === 'complete') this.#act(arrival, 0);
  }

  /** One after the other. */
  #act(arrival: Arrival, index: number): void {
    const act = arrival.plan.acts[index];
    if (act === undefined || this.unaskedFrom !== null) return;
    this.clock.setTimer(act.afterMs, () => {
      this.#perform(arrival, act);
      this.#act(arrival, index + 1);
    });
  }

  #perform(arrival: Arrival, act: BackendAct): void {
    if (act.deed !== 'write') return this.do(act.deed);
    if (act.part === 'unasked') {
      // With another request behind it, read or not, nobody could tell whose answer it is.
      if (arrival !== this.arrivals.at(-1) || this.#hasStopped) return;
      this.unaskedFrom = this.#writtenBytes;
    }
    if (this.#send(act.bytes) && act.part === 'end') this.#answered(arrival);
  }

  get #hasStopped(): boolean {
    return this.did.has('pause') && !this.did.has('resume');
  }

  #answered(arrival: Arrival): void {
    arrival.answerTo = this.#writtenBytes;
    if (arrival.plan.framing === 'tunnel')
      this.tunnel = { received: this.#receivedBytes, sent: this.#writtenBytes };
  }

  /** False where nothing can be sent any more. */
  #send(bytes: Uint8Array): boolean {
    if (this.near?.gone !== false || this.near.writeEnded) return false;
    this.#writtenBytes += bytes.length;
    this.write(bytes);
    return true;
  }

  /** The write with which the proxy began a request. */
  writeOf({ message }: Arrival): ProxyWrite | undefined {
    const startAt = message.startAt + (this.proxyHeader?.length ?? 0);
    return this.writes.findLast(({ from }) => from <= startAt);
  }

  /** What it really sent of an answer, read as a client reads it; null: not even its head. */
  sentAnswer(arrival: Arrival): { readonly answer: Message; readonly interims: number } | null {
    const next = this.arrivals[this.arrivals.indexOf(arrival) + 1];
    const until = Math.min(
      this.sentBytes,
      arrival.answerTo ?? Number.POSITIVE_INFINITY,
      this.unaskedFrom ?? Number.POSITIVE_INFINITY,
      next?.answerFrom ?? Number.POSITIVE_INFINITY,
    );
    const heads: Message[] = [];
    const listener = {
      onHead: (message: Message) => void heads.push(message),
      onComplete() {},
      onNonsense() {},
    };
    const method = arrival.message.startLine.split(' ')[0] ?? '';
    const reader = new AnswerReader(listener, () => ({ method }));
    reader.read(this.sent.subarray(arrival.answerFrom, until));
    const flushed = this.sentBytes === this.#writtenBytes;
    if (this.did.has('destroy') || (this.did.has('fin') && flushed)) reader.end();
    const last = heads.at(-1);
    return last === undefined || isInterim(last) ? null : { answer: last, interims: heads.length - 1 };
  }
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n');

function isWholeHeader(header: Buffer): boolean {
  return header.length >= 16 && header.length === 16 + header.readUInt16BE(14);
}
