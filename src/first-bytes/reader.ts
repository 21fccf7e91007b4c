import { errorCode } from '../base/errors.ts';
import type { Transport, TransportListener } from '../base/transport.ts';
import { ClientHelloParser } from './client-hello.ts';
import type { FirstBytes, FirstBytesFailure, FirstBytesOptions } from './first-bytes.ts';
import { GrowingBuffer } from './growing-buffer.ts';
import { sniffProtocol } from './protocol-sniff.ts';
import { type ProxyHeader, parseProxyHeader } from './proxy-header-parser.ts';

export type { FirstBytes, FirstBytesFailure, FirstBytesOptions } from './first-bytes.ts';

export interface FirstBytesReader {
  /** Bytes held at the moment. */
  readonly bufferedBytes: number;
  /**
   * Ends the reading without a result: detaches from the transport, paused, and frees the buffer.
   * Idempotent; does nothing after a result. Call it before the transport gets another listener.
   */
  stop(): void;
}

type Stage = 'proxy-header' | 'sniff' | 'hello' | 'done';

/**
 * Reads what is needed to choose a route, and not a byte is lost: what was read is in the result,
 * the rest is still in the transport. It is the transport's listener until it calls `onDone`,
 * exactly once; by then the transport is paused, has no listener and belongs to the caller.
 *
 * It has no timer: whoever starts it bounds its time and calls `stop`. Memory is bounded by
 * `maxBytes` and one read. Neither chunking nor timing changes the result. Where there is nothing
 * to read at all, `onDone` is called before this returns; otherwise only by the transport.
 */
export function readFirstBytes(
  transport: Transport,
  options: FirstBytesOptions,
  onDone: (result: FirstBytes | FirstBytesFailure) => void,
): FirstBytesReader {
  const reader = new Reader(transport, options, onDone);
  reader.start();
  return reader;
}

class Reader implements FirstBytesReader, TransportListener {
  readonly #transport: Transport;
  readonly #options: FirstBytesOptions;
  readonly #onDone: (result: FirstBytes | FirstBytesFailure) => void;
  readonly #buffer = new GrowingBuffer();
  #stage: Stage;
  #proxyHeader: ProxyHeader | null = null;
  /** Bytes of the PROXY header: where the client's own begin in the buffer. */
  #start = 0;
  /** Below this length another look at the PROXY header tells nothing new. */
  #need = 1;
  #hello: ClientHelloParser | null = null;
  /** How far into the buffer the hello parser has read. */
  #parsed = 0;

  constructor(
    transport: Transport,
    options: FirstBytesOptions,
    onDone: (result: FirstBytes | FirstBytesFailure) => void,
  ) {
    this.#transport = transport;
    this.#options = options;
    this.#onDone = onDone;
    this.#stage = options.proxyHeader === 'required' ? 'proxy-header' : 'sniff';
  }

  get bufferedBytes(): number {
    return this.#buffer.length;
  }

  start(): void {
    if (this.#stage === 'sniff' && !this.#options.detect) {
      this.#succeed({ kind: 'none' });
    } else {
      this.#transport.setListener(this);
      this.#transport.resume();
    }
  }

  stop(): void {
    if (this.#stage === 'done') return;
    this.#detach();
    this.#buffer.clear();
  }

  onData(bytes: Uint8Array): void {
    if (this.#stage === 'done') return;
    this.#buffer.append(bytes);
    if (this.#stage === 'proxy-header') this.#readProxyHeader();
    if (this.#stage === 'sniff') this.#sniff();
    if (this.#stage === 'hello') this.#readHello();
  }

  /** No more will come: what was undecided is decided, but the beginning of a hello is never plain text. */
  onEnd(): void {
    const bytes = this.#buffer.view(this.#start);
    if (this.#stage === 'sniff' && bytes.length > 0 && bytes[0] !== 0x16) this.#succeed({ kind: 'other' });
    else this.#fail('client-closed');
  }

  onDrain(): void {}

  onFinish(): void {}

  onError(error: Error): void {
    this.#fail(errorCode(error) === 'ETIMEDOUT' ? 'client-timed-out' : 'client-reset', null, error);
  }

  onClose(): void {
    this.#fail('client-closed');
  }

  #readProxyHeader(): void {
    if (this.#buffer.length < this.#need) return;
    const result = parseProxyHeader(this.#allowed(0));
    if (result.kind === 'not-proxy') this.#fail('invalid-proxy-header', 'no PROXY header');
    else if (result.kind === 'invalid') this.#fail('invalid-proxy-header', result.why);
    else if (result.kind === 'header') this.#takeProxyHeader(result);
    else if (result.need > this.#options.maxBytes) this.#fail('initial-data-too-large');
    else this.#need = result.need;
  }

  #takeProxyHeader(header: ProxyHeader): void {
    this.#proxyHeader = header;
    this.#start = header.length;
    this.#parsed = header.length;
    this.#stage = 'sniff';
    const { onProxyHeader } = this.#options;
    const verdict = onProxyHeader ? onProxyHeader(header) : this.#options;
    if (verdict === null) this.stop();
    // The caller may have called `stop` meanwhile.
    else if (!verdict.detect && !this.#isDone()) this.#succeed({ kind: 'none' });
  }

  #isDone(): boolean {
    return this.#stage === 'done';
  }

  #sniff(): void {
    const sniffed = sniffProtocol(this.#allowed(this.#start));
    if (sniffed === 'tls') this.#stage = 'hello';
    else if (sniffed === 'undecided') this.#checkUndecided();
    else if (sniffed === 'http' || sniffed === 'http2')
      this.#succeed({ kind: 'http', http2: sniffed === 'http2' });
    else this.#succeed({ kind: 'other', unwantedProxyHeader: sniffed === 'proxy-header' });
  }

  #checkUndecided(): void {
    if (this.#buffer.length >= this.#options.maxBytes) this.#fail('initial-data-too-large');
  }

  #readHello(): void {
    this.#hello ??= new ClientHelloParser(this.#options.maxBytes - this.#start);
    const result = this.#hello.push(this.#buffer.view(this.#parsed));
    this.#parsed = this.#buffer.length;
    if (result.kind === 'hello') this.#succeed({ kind: 'tls', hello: result });
    else if (result.kind === 'too-large') this.#fail('initial-data-too-large');
    else if (result.kind !== 'incomplete')
      this.#fail('invalid-hello', result.kind === 'invalid' ? result.why : 'not TLS');
  }

  /** What a decision may be based on: however much comes in one read, no more than one byte at a time. */
  #allowed(start: number): Uint8Array {
    return this.#buffer.view(start).subarray(0, Math.max(this.#options.maxBytes - start, 0));
  }

  #succeed(found: Pick<FirstBytes, 'kind'> & Partial<FirstBytes>): void {
    if (this.#stage === 'done') return;
    this.#finish({
      outcome: 'read',
      hello: null,
      http2: false,
      proxyHeader: this.#proxyHeader,
      unwantedProxyHeader: false,
      bytes: this.#buffer.take(this.#start),
      ended: this.#transport.readEnded,
      ...found,
    });
  }

  #fail(reason: FirstBytesFailure['reason'], why: string | null = null, error: Error | null = null): void {
    if (this.#stage === 'done') return;
    const tls = this.#stage === 'hello';
    this.#finish({ outcome: 'failed', reason, why, error, proxyHeader: this.#proxyHeader, tls });
  }

  #finish(result: FirstBytes | FirstBytesFailure): void {
    this.#detach();
    this.#buffer.clear();
    this.#onDone(result);
  }

  #detach(): void {
    this.#stage = 'done';
    this.#transport.pause();
    this.#transport.setListener(null);
  }
}
