import type { Clock, Timer } from '../../../src/base/clock.ts';
import { Peer, type Trace } from '../peer.ts';
import type { Act, ClientScript, Until } from './client-script.ts';
import { AnswerReader, type Asked, isInterim, type Message } from './message-reader.ts';
import type { RequestPlan } from './requests.ts';

/** A client that speaks HTTP/1 by its script, and reads every answer. */
export class HttpClient extends Peer {
  readonly script: ClientScript;
  readonly reader: AnswerReader;
  /** Final answers whose head came, in order; the last may not be complete. */
  readonly answers: Message[] = [];
  complete = 0;
  /** Interim answers before each final one. */
  readonly interims: number[] = [];
  /** Interim answers and heads of final ones that came. */
  #heads = 0;
  /** Why what came was no HTTP. */
  nonsense: string | null = null;
  #next = 0;
  /** What the next act waits for. */
  #waiting: {
    readonly until: Until;
    /** What `#heads` was when the waiting began. */
    readonly heads: number;
    readonly patience: Timer;
    readonly go: () => void;
  } | null = null;

  constructor(name: string, script: ClientScript, clock: Clock, trace: Trace | null) {
    super(name, clock, trace);
    this.script = script;
    this.reader = new AnswerReader(
      {
        onHead: (message) => this.#headCame(message),
        onComplete: (message) => this.#completed(message),
        onNonsense: (why) => {
          this.nonsense ??= why;
        },
      },
      (answer) => askedBy(script.requests[answer]),
    );
  }

  protected override begin(): void {
    if (this.script.reads) this.near?.resume();
    this.#goOn();
  }

  #goOn(): void {
    const act = this.script.acts[this.#next++];
    if (act === undefined) return;
    const go = (): void => void this.clock.setTimer(act.afterMs, () => this.#perform(act));
    if (act.until === undefined || this.#isReached(act.until, this.#heads)) return go();
    const patience = this.clock.setTimer(act.until.patienceMs, () => this.#stopWaiting());
    this.#waiting = { until: act.until, heads: this.#heads, patience, go };
  }

  #isReached({ answers, head, tunnel }: Until, headsBefore: number): boolean {
    if (answers !== undefined && this.complete >= answers) return true;
    return (head === true && this.#heads > headsBefore) || (tunnel === true && this.reader.inTunnel);
  }

  #stopWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.patience.cancel();
    waiting?.go();
  }

  #perform(act: Act): void {
    if (act.deed !== 'write') this.do(act.deed);
    else if (act.bytes.length > 0 && (act.inTunnel !== true || this.reader.inTunnel)) this.write(act.bytes);
    this.#goOn();
  }

  protected override heard(bytes: Uint8Array): void {
    this.reader.read(bytes);
    const waiting = this.#waiting;
    if (waiting !== null && this.#isReached(waiting.until, waiting.heads)) this.#stopWaiting();
  }

  protected override heardEnd(): void {
    this.reader.end();
    this.answerEnd(this.script.afterEnd);
  }

  #headCame(message: Message): void {
    this.note(message.startLine);
    this.#heads++;
    const index = this.answers.length;
    if (isInterim(message)) this.interims[index] = (this.interims[index] ?? 0) + 1;
    else this.answers.push(message);
  }

  #completed(message: Message): void {
    if (!isInterim(message)) this.complete++;
  }
}

/** Of a head that is malformed the method may still be one. */
function askedBy(request: RequestPlan | undefined): Asked | undefined {
  if (request === undefined) return undefined;
  const [method = ''] = Buffer.from(request.head).toString('latin1').split(' ', 1);
  return { method };
}
