import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseParser } from '../../../src/network-proxy/http1/response-parser.ts';
import { acceptedResponse, limits, message, outcome, readResponse } from './reading.ts';

function refuses(code: string, ...answers: Buffer[]): void {
  for (const bytes of answers) {
    const told = readResponse(bytes);
    assert.equal(outcome(told), code, JSON.stringify(String(bytes)));
    assert.equal(told?.kind === 'invalid' && told.status, 502);
  }
}

test('a response tells status, reason, version and fields', () => {
  const head = acceptedResponse(
    message(['HTTP/1.0 404 Not  Found \xe9', 'Set-Cookie: a=1', 'set-cookie: b=2'], 'rest'),
  );
  assert.equal(head.status, 404);
  assert.equal(head.reason, 'Not  Found \xe9');
  assert.equal(head.minorVersion, 0);
  assert.deepEqual(head.values('set-cookie'), ['a=1', 'b=2']);
  assert.equal(head.bytes.toString('latin1', head.length), 'rest');
});

test('the reason may be empty, and its space missing', () => {
  assert.equal(acceptedResponse(message(['HTTP/1.1 200 '])).reason, '');
  assert.equal(acceptedResponse(message(['HTTP/1.1 200'])).reason, '');
  assert.equal(acceptedResponse(message(['HTTP/1.1 999 x'])).status, 999);
});

// H2
test('a malformed response is a 502', () => {
  const line = 'HTTP/1.1 200 OK';
  refuses('version', message(['HTTP 200 OK']), message(['http/1.1 200 OK']), message(['HTTP/1.1\t200 OK']));
  refuses('version', Buffer.concat([Buffer.from('\r\n'), message([line])]), message(['<html><body>']));
  refuses('unknown-version', message(['HTTP/2.0 200 OK']), message(['HTTP/1.2 200 OK']));
  refuses(
    'status-code',
    message(['HTTP/1.1 20 OK']),
    message(['HTTP/1.1 099 OK']),
    message(['HTTP/1.1 2000 OK']),
  );
  refuses('status-code', message(['HTTP/1.1  200 OK']), message(['HTTP/1.1 +20 OK']));
  refuses('reason-phrase', message(['HTTP/1.1 200 O\0K']), message(['HTTP/1.1 200 O\x7fK']));
  refuses('bare-cr', message(['HTTP/1.1 200 O\rK']), message([line, 'X: a\rb']));
  refuses(
    'bare-lf',
    message(['HTTP/1.1 200 OK\nX: 1']),
    message(['HTTP/1.1 200\nX: 1']),
    message([line, 'X: a\nb']),
  );
  refuses('field-name', message([line, ': 1']), message([line, 'X']));
  refuses('space-before-colon', message([line, 'Transfer-Encoding : chunked']));
  refuses('folded-line', message([line, 'X: 1', ' 2']));
  refuses('connection-option', message([line, 'Connection: a b']));
});

test('informational and final responses follow each other on one connection', () => {
  const parser = new ResponseParser(limits);
  const stream = Buffer.concat([
    message(['HTTP/1.1 100 Continue']),
    message(['HTTP/1.1 200 OK', 'Content-Length: 0']),
  ]);
  const first = parser.parse(stream, 0, stream.length);
  assert.ok(first?.kind === 'response' && first.status === 100);
  const second = parser.parse(stream, first.length, stream.length);
  assert.ok(second?.kind === 'response' && second.status === 200 && second.contentLength === 0);
});

test('the head of a response is bounded', () => {
  const bytes = message(['HTTP/1.1 200 OK', 'X: 1']);
  assert.equal(
    outcome(readResponse(bytes, { headerBytes: bytes.length })),
    `response of ${bytes.length} bytes`,
  );
  assert.equal(outcome(readResponse(bytes, { headerBytes: bytes.length - 1 })), 'head-too-large');
  assert.equal(outcome(readResponse(bytes, { headerBytes: 12 })), 'head-too-large');
});
