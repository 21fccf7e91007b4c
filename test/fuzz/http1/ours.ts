import { BodyScanner } from '../../../src/network-proxy/http1/body-scanner.ts';
import type { Framing } from '../../../src/network-proxy/http1/framing.ts';
import { responseFraming, staysOpen } from '../../../src/network-proxy/http1/framing-rules.ts';
import type { RequestHead, ResponseHead } from '../../../src/network-proxy/http1/head.ts';
import {
  type Refusal,
  type RefusalCode,
  requestRefusals,
  responseRefusals,
} from '../../../src/network-proxy/http1/refusals.ts';
import { RequestParser } from '../../../src/network-proxy/http1/request-parser.ts';
import { ResponseParser } from '../../../src/network-proxy/http1/response-parser.ts';
import type { Trial } from './mutation.ts';

const limits = { headerBytes: 65_536 };

/** A message as our parser sees it: positions in the stream. */
export interface OurMessage {
  /** Method or status, and version. */
  title: string;
  framing: Framing['kind'];
  start: number;
  headEnd: number;
  /** −1 as long as it is not complete. */
  end: number;
  keepAlive: boolean;
}

export interface OurVerdict {
  messages: OurMessage[];
  /** `closed`: nothing may follow the last message. `open`: another may, and none has begun. */
  ending: 'open' | 'closed' | 'in-head' | 'in-body' | 'refused';
  refused: RefusalCode | null;
  /** The position after the last byte that was taken for one of the messages. */
  at: number;
}

/** Reads streams as a connection would, piece by piece, one after the other. */
export class OurReader {
  readonly #requests = new RequestParser(limits);
  readonly #responses = new ResponseParser(limits);
  readonly #body = new BodyScanner(limits);
  #trial: Trial | null = null;
  #messages: OurMessage[] = [];
  #ending: OurVerdict['ending'] = 'open';
  #refused: RefusalCode | null = null;
  #at = 0;
  #answered = 0;

  /** Begins a stream. */
  start(trial: Trial): void {
    this.#requests.reset();
    this.#responses.reset();
    this.#trial = trial;
    this.#messages = [];
    this.#ending = 'open';
    this.#refused = null;
    this.#at = 0;
    this.#answered = 0;
  }

  get verdict(): OurVerdict {
    return { messages: this.#messages, ending: this.#ending, refused: this.#refused, at: this.#at };
  }

  /**
   * @param bytes the stream; what is before `to` has arrived
   * @param moved how many bytes the stream is away from the beginning of `bytes`
   */
  read(bytes: Buffer, to: number, moved: number): void {
    while (this.#ending !== 'closed' && this.#ending !== 'refused' && this.#at < to) {
      const before = this.#at;
      if (this.#ending === 'in-body') this.#readBody(bytes, to, moved);
      else this.#readHead(bytes, to, moved);
      if (this.#at === before) return;
    }
  }

  #readHead(bytes: Buffer, to: number, moved: number): void {
    const parser = this.#trial?.side === 'request' ? this.#requests : this.#responses;
    const head = parser.parse(bytes, moved + this.#at, moved + to);
    if (head === null) {
      this.#ending = 'in-head';
    } else if (head.kind === 'invalid') {
      this.#refuse(head);
    } else {
      const framing = this.#framingOf(head);
      if (framing.kind === 'invalid') this.#refuse(framing);
      else this.#begin(head, framing);
    }
  }

  #framingOf(head: RequestHead | ResponseHead): Framing | Refusal {
    if (head.kind === 'request') return head.framing;
    const answers = this.#trial?.answers ?? [];
    const request = answers[Math.min(this.#answered, answers.length - 1)] ?? {
      method: 'GET',
      upgrade: false,
    };
    if (head.status >= 200) this.#answered++;
    return responseFraming(head, request);
  }

  #begin(head: RequestHead | ResponseHead, framing: Framing): void {
    const title = head.kind === 'request' ? head.method : String(head.status);
    const headEnd = this.#at + head.length;
    const keepAlive = staysOpen(head, framing) && title !== 'CONNECT';
    this.#messages.push({
      title: `${title} 1.${head.minorVersion}`,
      framing: framing.kind,
      start: this.#at,
      headEnd,
      end: -1,
      keepAlive,
    });
    this.#at = headEnd;
    this.#body.start(framing);
    this.#ending = 'in-body';
    if (framing.kind === 'tunnel' || framing.kind === 'none') this.#complete();
  }

  #readBody(bytes: Buffer, to: number, moved: number): void {
    this.#at = this.#body.scan(bytes, moved + this.#at, moved + to) - moved;
    const { refused } = this.#body;
    if (refused !== null) {
      this.#refuse((this.#trial?.side === 'request' ? requestRefusals : responseRefusals)[refused]);
    } else if (this.#body.ended) this.#complete();
  }

  #complete(): void {
    const message = this.#messages.at(-1)!;
    message.end = this.#at;
    this.#ending = message.keepAlive ? 'open' : 'closed';
  }

  #refuse(refusal: Refusal): void {
    this.#ending = 'refused';
    this.#refused = refusal.code;
  }
}

/** The content of a message, found by giving its body to a scanner one byte at a time. */
export function contentOf(bytes: Buffer, message: OurMessage): Buffer {
  const end = message.end < 0 ? bytes.length : message.end;
  const body = bytes.subarray(message.headEnd, end);
  if (message.framing !== 'chunked') return body;
  const scanner = new BodyScanner(limits);
  scanner.start({ kind: 'chunked', bytes: 0 });
  const content = Buffer.allocUnsafe(body.length);
  let length = 0;
  for (let at = 0; at < body.length; at++) {
    scanner.scan(body, at, at + 1);
    if (scanner.contentBytes > length) content[length++] = body[at]!;
  }
  return content.subarray(0, length);
}
