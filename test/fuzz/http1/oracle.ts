import { createRequire } from 'node:module';
import type { Trial } from './mutation.ts';

/** Node's own parser, as its http module uses it. It has no public types. */
interface NativeParser {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(bytes: Uint8Array): number | NativeError;
  finish(): NativeError | undefined;
  [callback: number]: (...args: never[]) => unknown;
}

interface NativeError extends Error {
  code: string;
  reason: string;
}

interface NativeParserClass {
  new (): NativeParser;
  REQUEST: number;
  RESPONSE: number;
  kOnMessageBegin: number;
  kOnHeaders: number;
  kOnHeadersComplete: number;
  kOnBody: number;
  kOnMessageComplete: number;
}

const common = createRequire(import.meta.url)('node:_http_common') as {
  HTTPParser: NativeParserClass;
  methods: string[];
};
const { HTTPParser, methods } = common;
const strict = 0;
const maxHeaderSize = 65_536;
const skipBody = 1;
const skipBodyAndUpgrade = 2;

export interface TheirMessage {
  title: string;
  keepAlive: boolean;
  complete: boolean;
  content: Buffer[];
}

export interface TheirVerdict {
  messages: TheirMessage[];
  /** llhttp's code and reason; null as long as it is content. */
  error: string | null;
  /** How many messages were complete after each piece. */
  completeAfter: number[];
}

/** llhttp in strict mode. One native parser serves all trials: making one costs more than a trial. */
export class Oracle {
  readonly #parser = new HTTPParser();
  #trial: Trial | null = null;
  #messages: TheirMessage[] = [];
  #answered = 0;
  /** The present message asks for an upgrade; it did, and is complete. */
  #upgrading = false;
  #stopped = false;
  #tunnel = false;

  constructor() {
    const parser = this.#parser;
    parser[HTTPParser.kOnMessageBegin] = () => {};
    parser[HTTPParser.kOnHeaders] = () => {};
    parser[HTTPParser.kOnHeadersComplete] = (...args: unknown[]) => this.#onHead(args);
    parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
      this.#messages.at(-1)?.content.push(Buffer.from(bytes));
    };
    parser[HTTPParser.kOnMessageComplete] = () => {
      const message = this.#messages.at(-1);
      if (message) message.complete = true;
      this.#stopped = this.#upgrading;
    };
  }

  /** @param ends where the pieces end, ascending; the last one is the end of the stream */
  judge(trial: Trial, ends: readonly number[], finish: boolean): TheirVerdict {
    this.#trial = trial;
    this.#messages = [];
    this.#answered = 0;
    this.#tunnel = false;
    this.#stopped = false;
    this.#initialize();
    const verdict: TheirVerdict = { messages: this.#messages, error: null, completeAfter: [] };
    let from = 0;
    for (const end of ends) {
      if (verdict.error === null) verdict.error = this.#feed(trial.bytes.subarray(from, end));
      verdict.completeAfter.push(this.#messages.filter((message) => message.complete).length);
      from = end;
    }
    if (finish && verdict.error === null && !this.#tunnel) this.#parser.finish();
    return verdict;
  }

  #initialize(): void {
    const type = this.#trial?.side === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE;
    this.#parser.initialize(type, {}, maxHeaderSize, strict);
  }

  /**
   * llhttp stops after a message that asks for an upgrade, and hides its errors from then on; as
   * long as nobody agreed to it, HTTP goes on with a fresh parser.
   */
  #feed(bytes: Buffer): string | null {
    let rest = bytes;
    while (rest.length > 0 && !this.#tunnel) {
      const taken = this.#parser.execute(rest);
      if (typeof taken !== 'number') return `${taken.code}: ${taken.reason}`;
      rest = rest.subarray(taken);
      if (!this.#stopped) return rest.length === 0 ? null : 'refused in the body of an upgrade request';
      this.#stopped = false;
      this.#initialize();
    }
    return null;
  }

  #onHead(args: unknown[]): number {
    const [, minor, , method, , status, , upgrading, keepAlive] = args as [
      number,
      number,
      string[] | undefined,
      number | undefined,
      string | undefined,
      number | undefined,
      string | undefined,
      boolean,
      boolean,
    ];
    const title = status === undefined ? (methods[method ?? -1] ?? '?') : String(status);
    this.#messages.push({ title: `${title} 1.${minor}`, keepAlive, complete: false, content: [] });
    this.#upgrading = upgrading;
    const rule = status === undefined ? 0 : this.#bodyRule(status);
    this.#tunnel = rule === skipBodyAndUpgrade || title === 'CONNECT';
    return rule;
  }

  /** What Node's client tells llhttp about the request that a response answers. */
  #bodyRule(status: number): number {
    const answers = this.#trial?.answers ?? [];
    const request = answers[Math.min(this.#answered, answers.length - 1)] ?? {
      method: 'GET',
      upgrade: false,
    };
    if (status < 200) return status === 101 && request.upgrade ? skipBodyAndUpgrade : 0;
    this.#answered++;
    if (request.method === 'CONNECT' && status < 300) return skipBodyAndUpgrade;
    return request.method === 'HEAD' ? skipBody : 0;
  }
}
