/**
 * Who watches the simulation of HTTP: the engine is broken on purpose, one fault at a time, and each
 * has to be noticed within a bounded number of seeds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerWriter } from '../../../src/network-proxy/http1/answer-writer.ts';
import { BodyScanner } from '../../../src/network-proxy/http1/body-scanner.ts';
import { Http1Server } from '../../../src/network-proxy/http1/http1-server.ts';
import { Http1Request } from '../../../src/network-proxy/http1/messages.ts';
import { PlainComposition } from '../../../src/network-proxy/http1/plain-composition.ts';
import { ReadAhead } from '../../../src/network-proxy/http1/read-ahead.ts';
import { RequestReader } from '../../../src/network-proxy/http1/request-reader.ts';
import { ServerConnection } from '../../../src/network-proxy/http1/server-connection.ts';
import { ServerDeadlines } from '../../../src/network-proxy/http1/server-deadlines.ts';
import { ProxiedExchange } from '../../../src/network-proxy/proxied-exchange.ts';
import { SecurityManager } from '../../../src/security/security-manager.ts';
import { mutationsIn, patience } from '../mutation.ts';
import { firstFailing } from '../runner.ts';
import { httpKind } from './kind.ts';

test('without a fault the same seeds pass', async () => {
  assert.equal(await firstFailing(httpKind, patience), null);
});

const mutation = mutationsIn(httpKind);

// ── the client's connection ──────────────────────────────────────────────────────────────────────

mutation(
  'a malformed head does not end the connection',
  ServerConnection.prototype,
  'headRefused',
  () => () => {},
);

mutation('a malformed body is not noticed', ServerConnection.prototype, 'bodyRefused', () => () => {});

mutation('the next request is not looked at', RequestReader.prototype, 'next', () => () => {});

mutation("the client's FIN is not heard", ServerConnection.prototype, 'onEnd', () => () => {});

mutation(
  'a FIN ends the connection at once',
  ServerConnection.prototype,
  'onEnd',
  () =>
    function (this: ServerConnection) {
      this.close('client-closed');
    },
);

mutation("the client's reset is not heard", ServerConnection.prototype, 'onError', () => () => {});

mutation("the client's drain is not heard", ServerConnection.prototype, 'onDrain', () => () => {});

mutation(
  'an answer that is cut ends with a FIN',
  ServerConnection.prototype,
  'abort',
  () =>
    function (this: ServerConnection, reason, error) {
      this.close(reason === 'blocked' ? 'blocked' : 'responded', error);
    },
);

mutation(
  'an exchange is not told that its client is gone',
  ServerConnection.prototype,
  'stop',
  () => () => {},
);

mutation('a head that comes for ever is never late', ServerDeadlines.prototype, 'expectHead', () => () => {});

mutation('a body that does not come is never late', ServerDeadlines.prototype, 'expectBody', () => () => {});

mutation(
  'a body that came is late all the same',
  ServerDeadlines.prototype,
  'bodyNotExpected',
  () => () => {},
);

mutation('a reader that stands is not noticed', ServerDeadlines.prototype, 'expectReading', () => () => {});

mutation(
  'a client that took everything is thought to stand',
  ServerDeadlines.prototype,
  'allTaken',
  () => () => {},
);

mutation('a drain lets idle connections live on', Http1Server.prototype, 'drain', () => () => {});

// ── bytes ────────────────────────────────────────────────────────────────────────────────────────

mutation(
  'a byte of what waits is lost',
  ReadAhead.prototype,
  'append',
  (original) =>
    function (this: ReadAhead, bytes) {
      original.call(this, this.length === 0 ? bytes.subarray(1) : bytes);
    },
);

mutation('a head is put together and not written', PlainComposition.prototype, 'commit', () => () => true);

mutation(
  'a request that waits is not moved into memory of its own',
  Http1Request.prototype,
  'keep',
  () => () => {},
);

for (const difference of [1, -1]) {
  mutation(
    `a body is ${difference === 1 ? 'longer' : 'shorter'} than it says`,
    BodyScanner.prototype,
    'start',
    (original) =>
      function (this: BodyScanner, framing) {
        const { bytes } = framing;
        original.call(this, bytes > 10 ? { ...framing, bytes: bytes + difference } : framing);
      },
  );
}

mutation(
  'a client that wants no other answer is kept',
  AnswerWriter.prototype,
  'start',
  (original) =>
    function (this: AnswerWriter, request, isHead) {
      original.call(this, request, isHead);
      this.closes = false;
    },
);

mutation(
  'HEAD is answered with content',
  AnswerWriter.prototype,
  'start',
  (original) =>
    function (this: AnswerWriter, request) {
      original.call(this, request, false);
    },
);

// ── the exchange ─────────────────────────────────────────────────────────────────────────────────

mutation(
  'a request outlives the route that a reload removed',
  ProxiedExchange.prototype,
  'onRouteRemoved',
  () => () => {},
);

mutation(
  'a request that was cut off is not taken back',
  ProxiedExchange.prototype,
  'onClientGone',
  () => () => {},
);

mutation(
  'a body goes on while the backend takes nothing',
  ServerConnection.prototype,
  'pauseBody',
  () => () => {},
);

mutation(
  'a body does not go on when the backend took it',
  ProxiedExchange.prototype,
  'onBackendDrain',
  () => () => {},
);

mutation(
  'a silent backend is waited for for ever',
  ProxiedExchange.prototype,
  'onAnswerLate',
  () => () => {},
);

mutation('an interim answer is lost', ProxiedExchange.prototype, 'onInterim', () => () => {});

mutation(
  'an answer that is cut is taken for whole',
  ProxiedExchange.prototype,
  'onBackendFailed',
  (original) =>
    function (this: ProxiedExchange, failure) {
      if (failure.answered) this.onResponseEnd(null);
      else original.call(this, failure);
    },
);

mutation('a request holds its place for ever', SecurityManager.prototype, 'releaseRequest', () => () => {});

mutation('nobody is too many', SecurityManager.prototype, 'admitRequest', () => () => null);
