import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyReader } from '../../../src/network-proxy/http1/body-reader.ts';
import { ReadAhead } from '../../../src/network-proxy/http1/read-ahead.ts';
import { RequestParser } from '../../../src/network-proxy/http1/request-parser.ts';
import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import { memoryPair } from '../../../src/transport/memory-transport.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { Core, forward, routeTo, target } from '../stage.ts';

const limits = { headerBytes: 65_536 };

/** A backend in memory that answers each request with its body, framed as the path asks for. */
class EchoBackend {
  readonly #transport: MemoryTransport;
  readonly #waiting = new ReadAhead();
  readonly #parser = new RequestParser(limits);
  readonly #body = new BodyReader(limits);
  #path = '';
  #content = '';
  #inBody = false;

  constructor(transport: MemoryTransport) {
    this.#transport = transport;
    transport.setListener({
      onData: (bytes) => this.#read(bytes),
      onEnd: () => transport.end(),
      onDrain() {},
      onFinish() {},
      onError() {},
      onClose() {},
    });
    transport.resume();
  }

  #read(bytes: Uint8Array): void {
    this.#waiting.append(bytes);
    for (;;) {
      const view = this.#waiting.view();
      if (!this.#inBody) {
        const head = this.#parser.parse(view, 0, view.length);
        if (head === null) return;
        assert.equal(head.kind, 'request');
        if (head.kind !== 'request') return;
        this.#path = head.path;
        this.#content = '';
        this.#inBody = true;
        this.#body.start(head.framing);
        this.#body.useForm('content');
        this.#waiting.used(head.length);
        continue;
      }
      const taker = { onBody: (part: Uint8Array) => (this.#content += Buffer.from(part).toString('latin1')) };
      this.#waiting.used(this.#body.read(view, 0, view.length, taker, undefined));
      if (!this.#body.ended) return;
      this.#inBody = false;
      this.#transport.write(Buffer.from(answerOf(this.#path, this.#content), 'latin1'));
    }
  }
}

function answerOf(path: string, content: string): string {
  const framed = path.startsWith('/chunked')
    ? `Transfer-Encoding: chunked\r\n\r\n${content === '' ? '' : `${content.length.toString(16)}\r\n${content}\r\n`}0\r\n\r\n`
    : `Content-Length: ${content.length}\r\n\r\n${content}`;
  return `HTTP/1.1 200 OK\r\nX-Path: ${path}\r\n${framed}`;
}

function requestOf(path: string, content: string, chunked: boolean): string {
  const framed = chunked
    ? `Transfer-Encoding: chunked\r\n\r\n${content === '' ? '' : `${content.length.toString(16)}\r\n${content}\r\n`}0\r\n\r\n`
    : `Content-Length: ${content.length}\r\n\r\n${content}`;
  return `POST ${path} HTTP/1.1\r\nHost: a.test\r\n${framed}`;
}

const requests = fc.array(
  fc.record({
    chunkedAnswer: fc.boolean(),
    chunkedRequest: fc.boolean(),
    size: fc.oneof(fc.nat(20), fc.nat(3_000)),
  }),
  { minLength: 1, maxLength: 8 },
);

const largest = Array.from({ length: 8 }, (_, index) => ({
  chunkedAnswer: index % 2 === 0,
  chunkedRequest: index % 3 === 0,
  size: 3_000,
}));

// H5, H6
test('whatever the pieces, windows and latencies are, each request gets its own answer, whole and in order', () => {
  fc.assert(
    fc.property(
      requests,
      fc.nat(1_000_000),
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1, max: 700 }),
      (list, seed, windowBytes, segmentBytes) => {
        const clock = new VirtualClock({ seed });
        const network = { clock, windowBytes, segmentBytes, latency: () => Math.floor(clock.random() * 3) };
        const core = new Core(
          clock,
          (_endpoint, handlers) => {
            const timer = clock.setImmediate(() => {
              const [near, far] = memoryPair(network);
              new EchoBackend(far);
              handlers.onConnected(near);
            });
            return { abort: () => timer.cancel() };
          },
          { route: routeTo(forward([target(1)])) },
        );
        const [client, near] = memoryPair(network);
        let text = '';
        client.setListener({
          onData: (bytes) => {
            text += Buffer.from(bytes).toString('latin1');
          },
          onEnd() {},
          onDrain() {},
          onFinish() {},
          onError: (error) => assert.fail(error),
          onClose() {},
        });
        client.resume();
        core.accept(near, routeTo(forward([])).timeouts);
        let expected = '';
        list.forEach(({ chunkedAnswer, chunkedRequest, size }, index) => {
          const path = `/${chunkedAnswer ? 'chunked' : 'length'}/${index}`;
          const content = String.fromCharCode(97 + index).repeat(size);
          client.write(Buffer.from(requestOf(path, content, chunkedRequest)));
          expected += answerOf(path, content);
        });
        // Through windows of one byte it takes minutes, of a clock that nobody waits for.
        for (let step = 0; step < 300 && text.length < expected.length; step++) clock.advance(1_000);
        assert.equal(text, expected);
        client.end();
        clock.advance(120_000);
        core.assertNothingLeft();
        assert.equal(clock.pending, 0);
      },
    ),
    { numRuns: 150, examples: [[largest, 3, 1, 1]] },
  );
});
