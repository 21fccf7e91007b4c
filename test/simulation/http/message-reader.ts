/** One HTTP/1 message as a peer saw it. Texts have one character for each byte. */
export interface Message {
  readonly startLine: string;
  /** By name in lower case; several values joined with `, `. */
  readonly fields: ReadonlyMap<string, string>;
  readonly headBytes: number;
  readonly framing: 'none' | 'length' | 'chunked' | 'until-end' | 'tunnel';
  /** Where it begins in what was read. */
  readonly startAt: number;
  /** Content, as far as it came. */
  body: string;
  trailers: string;
  complete: boolean;
}

export interface MessageListener {
  onHead(message: Message): void;
  onComplete(message: Message): void;
  /** What came cannot be HTTP. */
  onNonsense(why: string): void;
}

type State = 'head' | 'length' | 'chunk-size' | 'chunk' | 'trailers' | 'until-end' | 'tunnel' | 'over';

/**
 * Reads what a proxy sent, one message after the other: plain enough to be seen to be right, and
 * of no code with the reader that it judges. Whatever is not exactly as RFC 9112 has it is nonsense.
 */
abstract class MessageReader {
  readonly #listener: MessageListener;
  #text = '';
  #read = 0;
  #state: State = 'head';
  #left = 0;
  protected message: Message | null = null;
  /** What came after HTTP was over. */
  tunnelText = '';

  constructor(listener: MessageListener) {
    this.#listener = listener;
  }

  /** What a start line looks like. */
  protected abstract readonly startLine: RegExp;

  /** How the message after a head is framed. */
  protected abstract framingOf(startLine: string, fields: ReadonlyMap<string, string>): Message['framing'];

  /** A message has begun and is not complete. */
  get inMessage(): boolean {
    return (this.message !== null && !this.message.complete) || this.rest !== '';
  }

  /** The beginning of a head that did not come to its end. */
  get rest(): string {
    return this.#state === 'head' ? this.#text : '';
  }

  get inTunnel(): boolean {
    return this.#state === 'tunnel';
  }

  read(bytes: Uint8Array): void {
    this.#read += bytes.length;
    this.#text += Buffer.from(bytes).toString('latin1');
    while (this.#step());
  }

  /** No more will come: FIN. */
  end(): void {
    if (this.#state === 'until-end') this.#complete();
  }

  /** False where more is needed. */
  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#readHead();
      case 'length':
      case 'chunk':
        return this.#readContent();
      case 'chunk-size':
        return this.#readChunkSize();
      case 'trailers':
        return this.#readTrailers();
      case 'until-end':
        (this.message as Message).body += this.#take(this.#text.length);
        return false;
      case 'tunnel':
        this.tunnelText += this.#take(this.#text.length);
        return false;
      case 'over':
        return false;
    }
  }

  #take(count: number): string {
    const taken = this.#text.slice(0, count);
    this.#text = this.#text.slice(count);
    return taken;
  }

  #nonsense(why: string): false {
    this.#state = 'over';
    this.#listener.onNonsense(why);
    return false;
  }

  #readHead(): boolean {
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const startAt = this.#read - this.#text.length;
    const [startLine = '', ...lines] = this.#take(end + 4)
      .slice(0, end)
      .split('\r\n');
    if (!this.startLine.test(startLine)) return this.#nonsense(`the start line ${JSON.stringify(startLine)}`);
    const fields = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (!/^[a-z0-9-]+: \S?/i.test(line)) return this.#nonsense(`a field line ${JSON.stringify(line)}`);
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 2);
      fields.set(name, fields.has(name) ? `${fields.get(name)}, ${value}` : value);
    }
    const framing = this.framingOf(startLine, fields);
    const message = { startLine, fields, headBytes: end + 4, framing, startAt };
    this.message = { ...message, body: '', trailers: '', complete: false };
    this.#state = stateAfter(framing);
    this.#left = Number(fields.get('content-length') ?? 0);
    if (!Number.isSafeInteger(this.#left)) return this.#nonsense('a Content-Length');
    this.#listener.onHead(this.message);
    if (framing === 'none' || framing === 'tunnel') this.#complete();
    else if (framing === 'length' && this.#left === 0) this.#complete();
    return true;
  }

  #readContent(): boolean {
    const taken = this.#take(this.#left);
    this.#left -= taken.length;
    (this.message as Message).body += taken;
    if (this.#left > 0) return false;
    if (this.#state === 'length') return this.#complete();
    if (this.#text.length < 2) return false;
    if (this.#take(2) !== '\r\n') return this.#nonsense('the end of a chunk');
    this.#state = 'chunk-size';
    return true;
  }

  #readChunkSize(): boolean {
    const end = this.#text.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.#take(end + 2).slice(0, end);
    if (!/^[0-9a-f]+(;[a-z]+=[a-z]+)*$/i.test(line)) return this.#nonsense(`the chunk size ${line}`);
    this.#left = Number.parseInt(line, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'chunk';
    return true;
  }

  #readTrailers(): boolean {
    const end = this.#text.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.#take(end + 2).slice(0, end);
    if (line === '') return this.#complete();
    (this.message as Message).trailers += `${line}\n`;
    return true;
  }

  #complete(): true {
    const message = this.message as Message;
    message.complete = true;
    if (this.#state !== 'tunnel') this.#state = this.#state === 'until-end' ? 'over' : 'head';
    this.#listener.onComplete(message);
    return true;
  }
}

function stateAfter(framing: Message['framing']): State {
  if (framing === 'chunked') return 'chunk-size';
  return framing === 'none' ? 'head' : framing;
}

/** Reads requests, as a backend does. */
export class RequestReader extends MessageReader {
  protected override readonly startLine = /^[A-Z]+ [!-~]+ HTTP\/1\.1$/;

  protected override framingOf(_line: string, fields: ReadonlyMap<string, string>): Message['framing'] {
    if (fields.get('transfer-encoding') === 'chunked') return 'chunked';
    return fields.has('content-length') ? 'length' : 'none';
  }
}

/** What an answer's framing depends on. */
export interface Asked {
  readonly method: string;
}

/** Reads answers, as a client does: it knows what it asked. */
export class AnswerReader extends MessageReader {
  protected override readonly startLine = /^HTTP\/1\.[01] \d{3} /;
  readonly #asked: (answer: number) => Asked | undefined;
  #answers = 0;

  /** @param asked the request that the answer with this number is for */
  constructor(listener: MessageListener, asked: (answer: number) => Asked | undefined) {
    super(listener);
    this.#asked = asked;
  }

  protected override framingOf(startLine: string, fields: ReadonlyMap<string, string>): Message['framing'] {
    const status = statusOf(startLine);
    if (status === 101) return 'tunnel';
    if (status < 200) return 'none';
    const method = this.#asked(this.#answers++)?.method;
    if (method === 'HEAD' || status === 204 || status === 304) return 'none';
    if (fields.get('transfer-encoding') === 'chunked') return 'chunked';
    return fields.has('content-length') ? 'length' : 'until-end';
  }
}

export function statusOf(startLine: string): number {
  return Number(/^HTTP\/1\.[01] (\d{3}) /.exec(startLine)?.[1] ?? 'NaN');
}

/** 1xx but not 101: the final answer is still to come. */
export function isInterim({ startLine }: Message): boolean {
  const status = statusOf(startLine);
  return status < 200 && status !== 101;
}
