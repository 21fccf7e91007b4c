import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hopByHopFields } from '../../../src/network-proxy/http1/connection-options.ts';
import type { Head } from '../../../src/network-proxy/http1/head.ts';
import { accepted, acceptedResponse, get, message, refusesAll } from './reading.ts';

const dropped = (head: Head): string[] => hopByHopFields(head).map((index) => head.nameAt(index));

// H4
test('fields that Connection names are dropped with those that are always for one connection', () => {
  const lines = [
    'X: 1',
    'connection: x, Y',
    'Z: 1',
    'y: 2',
    'TE: trailers',
    'Keep-Alive: timeout=5',
    'X: 2',
    'Upgrade: h2c',
  ];
  assert.deepEqual(dropped(accepted(get(...lines))), [
    'X',
    'connection',
    'y',
    'TE',
    'Keep-Alive',
    'X',
    'Upgrade',
  ]);
  const answer = acceptedResponse(
    message(['HTTP/1.1 200 OK', 'Proxy-Authenticate: Basic', 'Connection: ETag', 'etag: 1']),
  );
  assert.deepEqual(dropped(answer), ['Proxy-Authenticate', 'Connection', 'etag']);
});

// H4
test('Transfer-Encoding and Trailer stay, because the chunks do', () => {
  const head = accepted(get('Transfer-Encoding: chunked', 'Trailer: X', 'Proxy-Connection: keep-alive'));
  assert.deepEqual(dropped(head), ['Proxy-Connection']);
});

test('options are read in any case, over several fields, with empty elements between them', () => {
  const head = accepted(get('Connection: ,, Keep-Alive ,\t', 'Connection: UPGRADE,close', 'Upgrade: a/1, b'));
  assert.equal(head.keepAliveOption, true);
  assert.equal(head.closeOption, true);
  assert.equal(head.upgrade, 'a/1, b');
});

// H4
test('Connection cannot take away what the next recipient needs', () => {
  refusesAll(
    'connection-names-framing',
    ['Content-Length', 'transfer-encoding', 'close, HOST'].map((name) => get(`Connection: ${name}`)),
  );
  refusesAll('connection-option', [
    get('Connection: a b'),
    get('Connection: "close"'),
    get('Connection: a;b'),
  ]);
  const names = (count: number): string => Array.from({ length: count }, (_, index) => `x${index}`).join(',');
  assert.equal(accepted(get(`Connection: ${names(32)}`)).connectionNames.length, 32);
  refusesAll('connection-names-too-many', [get(`Connection: ${names(33)}`)]);
});

test('a client that waits for 100 is recognised in HTTP/1.1 only', () => {
  assert.equal(accepted(get('Expect: 100-Continue', 'Content-Length: 1')).expectContinue, true);
  assert.equal(accepted(get('Expect: x')).expectContinue, false);
  assert.equal(accepted(message(['GET / HTTP/1.0', 'Expect: 100-continue'])).expectContinue, false);
});
