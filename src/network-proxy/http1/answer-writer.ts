import { STATUS_CODES } from 'node:http';
import type { Loan, Transport } from '../../base/transport.ts';
import type { BodyForm, HeadChanges, HttpResponse, LocalAnswer, Trailers } from '../exchange.ts';
import { chunkOf, endOfChunks, fieldLines } from './chunk-writer.ts';
import { hopByHopFields } from './connection-options.ts';
import { mergePlaces } from './dropped-fields.ts';
import type { RequestHead } from './head.ts';
import { copyResponseHead } from './head-writer.ts';
import { hopByHopNames } from './hop-by-hop-names.ts';
import { MessageOutput } from './message-output.ts';

const closeLine = Buffer.from('Connection: close\r\n', 'latin1');
const keepAliveLine = Buffer.from('Connection: keep-alive\r\n', 'latin1');
const chunkedLine = Buffer.from('Transfer-Encoding: chunked\r\n', 'latin1');
const emptyLine = Buffer.from('\r\n', 'latin1');
const nothingDropped: readonly number[] = Object.freeze([]);

/** Writes answers to one client's connection, one after the other, framed as its version demands. */
export class AnswerWriter {
  readonly #out: MessageOutput;
  #minorVersion = 1;
  #isHead = false;
  /** Every piece of content is written as a chunk. */
  #chunking = false;
  /** An answer's head was written. */
  begun = false;
  done = false;
  /** The connection cannot carry another answer after this one. */
  closes = false;

  constructor(transport: Transport) {
    this.#out = new MessageOutput(transport);
  }

  /** Bytes of the present answer, with its head. */
  get bytes(): number {
    return this.#out.bytes;
  }

  /** Somebody must read before more is written: until `drained`. */
  get full(): boolean {
    return this.#out.full;
  }

  drained(): void {
    this.#out.full = false;
  }

  /** The version of HTTP knows interim answers and chunks. */
  get isCurrent(): boolean {
    return this.#minorVersion === 1;
  }

  /** Begins with the next request; null where there is none that could be read. `isHead`: its answer has no content. */
  start(request: RequestHead | null, isHead = request?.method === 'HEAD'): void {
    this.#out.bytes = 0;
    this.#minorVersion = request?.minorVersion ?? 1;
    this.#isHead = isHead;
    this.#chunking = false;
    this.begun = false;
    this.done = false;
    this.closes = request === null || !request.keepAlive;
  }

  inform(response: HttpResponse): void {
    if (!this.isCurrent || this.begun) return;
    this.#copyHead(response, nothingDropped);
    this.#completeHead();
  }

  respond(response: HttpResponse, changes: HeadChanges, form: BodyForm): void {
    this.begun = true;
    this.#copyHead(response, changes.dropped);
    this.#out.add(changes.added.lines);
    if (response.status === 101) this.#out.add(upgradeLines(response));
    else this.#frame(response, form);
    this.#completeHead();
  }

  #completeHead(): void {
    this.#out.add(emptyLine);
    this.#out.complete();
  }

  /** Chooses how the answer's end is told, and whether the connection goes on after it. */
  #frame(response: HttpResponse, form: BodyForm): void {
    const openEnd = response.body === 'until-end' || (response.body === 'chunked' && form === 'content');
    if (openEnd && response.http1 === null && this.isCurrent && !this.#isHead) {
      this.#chunking = true;
      this.#out.add(chunkedLine);
    } else if (openEnd) this.closes = true;
    if (this.closes) this.#out.add(closeLine);
    else if (!this.isCurrent) this.#out.add(keepAliveLine);
  }

  #copyHead(response: HttpResponse, dropped: readonly number[]): void {
    const { http1 } = response;
    if (http1 === null) return this.#out.add(startOfFields(response, dropped));
    const hidesCoding = response.body === 'chunked' && !this.isCurrent;
    const coding = hidesCoding ? codingPlaces(response) : nothingDropped;
    copyResponseHead(http1, mergePlaces(dropped, hopByHopFields(http1), coding), this.#out.head);
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    if (!this.#chunking) return this.#out.put(bytes, loan);
    return bytes.length === 0 || this.#out.put(chunkOf(bytes));
  }

  end(trailers: Trailers): void {
    if (this.#chunking) this.#out.put(endOfChunks(trailers));
    this.done = true;
  }

  /** A whole answer of our own. `now`: milliseconds since the epoch, for Date (RFC 9110 §6.6.1). */
  answer({ status, fields, body, close }: LocalAnswer, now: number): void {
    this.begun = true;
    if (close) this.closes = true;
    const sized = status >= 200 && status !== 204 && status !== 304;
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nDate: ${new Date(now).toUTCString()}\r\n`,
      fieldLines(fields),
      sized ? `Content-Length: ${body.length}\r\n` : '',
      this.closes ? 'Connection: close\r\n' : this.isCurrent ? '' : 'Connection: keep-alive\r\n',
      '\r\n',
    ].join('');
    const shown = sized && !this.#isHead && body.length > 0;
    this.#out.add(Buffer.from(head, 'latin1'));
    this.#out.complete();
    if (shown) this.#out.put(body);
    this.done = true;
  }
}

function upgradeLines(response: HttpResponse): Buffer {
  const protocol = response.field('upgrade') ?? '';
  return Buffer.from(`Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`, 'latin1');
}

function codingPlaces(response: HttpResponse): number[] {
  const places: number[] = [];
  let place = 0;
  response.eachField((name) => {
    const lower = name.toLowerCase();
    if (lower === 'transfer-encoding' || lower === 'trailer') places.push(place);
    place++;
  });
  return places;
}

/** The head of an answer that did not come by HTTP/1, without what is added. */
function startOfFields(response: HttpResponse, dropped: readonly number[]): Buffer {
  let text = `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}\r\n`;
  let place = 0;
  response.eachField((name, value) => {
    if (!dropped.includes(place++) && !hopByHopNames.has(name.toLowerCase())) text += `${name}: ${value}\r\n`;
  });
  return Buffer.from(text, 'latin1');
}
