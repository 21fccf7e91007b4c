import { questionTlvType, signBridge } from '../base/bridge-proof.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { SmartProxyError } from '../base/errors.ts';
import type {
  Dial,
  DialFailure,
  Dialing,
  PeerAddress,
  Transport,
  TransportListener,
} from '../base/transport.ts';
import { encodeProxyHeader } from '../transport/proxy-header.ts';

/** Where the other process listens, on the loopback, and the key that both have. */
export interface InnerPlace {
  readonly port: number;
  readonly secret: Uint8Array;
}

export interface QuestionServices {
  readonly clock: Clock;
  readonly dial: Dial;
}

/** Somebody waits for it, and the other process may be busy, or gone. */
const answerWithinMs = 2_000;
/** A record and its story are a few kilobytes. */
const maxAnswerBytes = 262_144;

const loopback: PeerAddress = { ip: '127.0.0.1', port: 0 };

/**
 * Asks the process at the other end of a bridge what it knows of a connection that was forwarded
 * to it: over the bridge's port and with the bridge's proof, so that nobody else is answered and no
 * other place has to be known. Rejects with `inner-unreachable`.
 */
export function askInner(
  services: QuestionServices,
  place: InnerPlace,
  connectionId: string,
): Promise<unknown> {
  return new Promise((resolve, reject) =>
    new Question(services, place, connectionId, { resolve, reject }).start(),
  );
}

interface Outcome {
  resolve(answer: unknown): void;
  reject(error: SmartProxyError): void;
}

class Question implements TransportListener {
  readonly #services: QuestionServices;
  readonly #place: InnerPlace;
  readonly #connectionId: string;
  readonly #outcome: Outcome;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #dialing: Dialing | null = null;
  #transport: Transport | null = null;
  #timer: Timer | null = null;
  #over = false;

  constructor(services: QuestionServices, place: InnerPlace, connectionId: string, outcome: Outcome) {
    this.#services = services;
    this.#place = place;
    this.#connectionId = connectionId;
    this.#outcome = outcome;
  }

  start(): void {
    const { clock, dial } = this.#services;
    this.#timer = clock.setTimer(answerWithinMs, () => this.#fail('it did not answer in time'));
    this.#dialing = dial(
      { host: '127.0.0.1', port: this.#place.port },
      {
        onConnected: (transport) => this.#ask(transport),
        onFailed: ({ error }: DialFailure) => this.#fail(error.message),
      },
    );
  }

  #ask(transport: Transport): void {
    this.#transport = transport;
    transport.setListener(this);
    const connectionId = this.#connectionId;
    const facts = { connectionId, source: loopback, destination: loopback, listener: '' };
    const value = signBridge(this.#place.secret, facts, this.#services.clock.wallTime(), 'question');
    const tlvs = { uniqueId: connectionId, other: [{ type: questionTlvType, value }] };
    transport.write(encodeProxyHeader(2, { source: loopback, destination: loopback, tlvs }));
    transport.resume();
  }

  onData(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > maxAnswerBytes) return this.#fail('its answer is too long');
    this.#chunks.push(new Uint8Array(bytes));
  }

  onEnd(): void {
    const answer = readJson(Buffer.concat(this.#chunks).toString('utf8'));
    if (answer === undefined) this.#fail('its answer is no answer');
    else if (this.#finish()) this.#outcome.resolve(answer);
  }

  onError(error: Error): void {
    this.#fail(error.message);
  }

  onClose(): void {
    this.#fail('it closed the connection');
  }

  onDrain(): void {}

  onFinish(): void {}

  #fail(why: string): void {
    if (!this.#finish()) return;
    const message = `the process that reads requests could not be asked: ${why}`;
    this.#outcome.reject(
      new SmartProxyError('inner-unreachable', message, { source: 'proxy', retryable: true }),
    );
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timer?.cancel();
    this.#dialing?.abort();
    this.#transport?.setListener(null);
    this.#transport?.destroy();
    return true;
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
