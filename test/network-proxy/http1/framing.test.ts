import assert from 'node:assert/strict';
import { test } from 'node:test';
import { staysOpen } from '../../../src/network-proxy/http1/framing-rules.ts';
import { accepted, acceptedResponse, framingOf, framingText, get, message, refusesAll } from './reading.ts';

const te = (value: string): Buffer => get(`Transfer-Encoding:${value}`);
const cl = (value: string): Buffer => get(`Content-Length:${value}`);

// H1
test('a request whose body length is ambiguous is refused', () => {
  refusesAll('length-and-coding', [
    get('Content-Length: 5', 'Transfer-Encoding: chunked'),
    get('transfer-encoding: chunked', 'content-length: 0'),
  ]);
  refusesAll('length-repeated', [
    get('Content-Length: 5', 'Content-Length: 5'),
    get('Content-Length: 5', 'content-length: 6'),
  ]);
  refusesAll('length-invalid', [
    ...['', ' ', ' -1', ' +5', ' 5,5', ' 5, 5', ' 0x5', ' 5 5', ' 5;', ' "5"', ' 5.0', ' ٥'].map(cl),
    ...['\t5', ' 5\t', ' 5 \t'].map(cl),
  ]);
  refusesAll('length-too-large', [
    cl(' 9007199254740993'),
    cl(' 18446744073709551616'),
    cl(' 0000000000000005'),
  ]);
});

// H1
test('Transfer-Encoding is chunked and nothing else', () => {
  refusesAll(
    'coding-invalid',
    [
      ...[
        ' chunked, identity',
        ' identity',
        ' xchunked',
        ' chunked, chunked',
        ' chunked;q=1',
        ' "chunked"',
        ' chunked,',
      ],
      ...['\tchunked', ' chunked\t', ' ,chunked', '', ' chunked chunked', ' gzip', ' chunked, gzip'],
    ].map(te),
  );
  refusesAll('field-value', [te(' \x0bchunked'), te(' chunked\x00')]);
  refusesAll('coding-unknown', [te(' gzip, chunked'), te(' identity, chunked')]);
  refusesAll('coding-repeated', [get('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')]);
  refusesAll('coding-version', [message(['POST / HTTP/1.0', 'Transfer-Encoding: chunked'])]);
  refusesAll('connect-body', [
    message(['CONNECT a.test:1 HTTP/1.1', 'Host: a.test:1', 'Content-Length: 0']),
    message(['CONNECT a.test:1 HTTP/1.1', 'Host: a.test:1', 'Transfer-Encoding: chunked']),
  ]);
});

// H5
test('a request is framed by its length, by chunks, or has no body', () => {
  assert.equal(framingText(accepted(get()).framing), 'none');
  assert.equal(framingText(accepted(cl(' 0')).framing), 'none');
  assert.equal(framingText(accepted(cl(' 005 ')).framing), 'length 5');
  assert.equal(framingText(accepted(cl('999999999999999')).framing), 'length 999999999999999');
  assert.equal(framingText(accepted(te(' CHUNKED ')).framing), 'chunked');
  assert.equal(framingText(accepted(message(['HEAD / HTTP/1.0', 'Content-Length: 3'])).framing), 'length 3');
});

// H5
test('a response is framed by its status and the request that it answers', () => {
  const ok = 'HTTP/1.1 200 OK';
  const headRequest = { method: 'HEAD', upgrade: false };
  assert.equal(framingOf([ok, 'Content-Length: 5']), 'length 5');
  assert.equal(framingOf([ok, 'Content-Length: 0']), 'none');
  assert.equal(framingOf([ok, 'Transfer-Encoding: chunked']), 'chunked');
  assert.equal(framingOf([ok]), 'until-close');
  assert.equal(framingOf(['HTTP/1.0 200 OK']), 'until-close');
  assert.equal(framingOf([ok, 'Content-Length: 5'], headRequest), 'none');
  assert.equal(framingOf([ok, 'Transfer-Encoding: chunked'], headRequest), 'none');
  assert.equal(framingOf(['HTTP/1.1 304 Not Modified', 'Content-Length: 5']), 'none');
  assert.equal(framingOf(['HTTP/1.1 204 No Content']), 'none');
  assert.equal(framingOf(['HTTP/1.1 204 No Content', 'Content-Length: 0']), 'none');
  assert.equal(framingOf(['HTTP/1.1 100 Continue']), 'none');
  assert.equal(framingOf(['HTTP/1.1 103 Early Hints', 'Link: </a>']), 'none');
});

// H1, H5
test('a response whose framing cannot be believed is a 502', () => {
  const ok = 'HTTP/1.1 200 OK';
  assert.equal(framingOf([ok, 'Content-Length: 5', 'Transfer-Encoding: chunked']), 'length-and-coding');
  assert.equal(framingOf([ok, 'Content-Length: 5', 'Content-Length: 5']), 'length-repeated');
  assert.equal(framingOf([ok, 'Content-Length: 5,5']), 'length-invalid');
  assert.equal(framingOf([ok, 'Transfer-Encoding: identity']), 'coding-invalid');
  assert.equal(framingOf([ok, 'Transfer-Encoding: gzip, chunked']), 'coding-unknown');
  assert.equal(framingOf(['HTTP/1.0 200 OK', 'Transfer-Encoding: chunked']), 'coding-version');
  assert.equal(framingOf(['HTTP/1.1 304 X', 'Content-Length: x']), 'length-invalid');
  for (const line of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    assert.equal(framingOf(['HTTP/1.1 204 No Content', line]), 'length-forbidden');
    assert.equal(framingOf(['HTTP/1.1 100 Continue', line]), 'length-forbidden');
    assert.equal(framingOf([ok, line], { method: 'CONNECT', upgrade: false }), 'length-forbidden');
  }
});

// H3
test('only a 101 that was asked for, or a 2xx to CONNECT, opens a tunnel', () => {
  const upgrade = { method: 'GET', upgrade: true };
  const switching = ['HTTP/1.1 101 Switching Protocols', 'Connection: upgrade', 'Upgrade: websocket'];
  assert.equal(framingOf(switching, upgrade), 'tunnel');
  assert.equal(framingOf(switching), 'upgrade-unasked');
  assert.equal(framingOf(switching.slice(0, 2), upgrade), 'upgrade-unasked');
  assert.equal(framingOf([...switching, 'Content-Length: 3'], upgrade), 'length-forbidden');
  assert.equal(framingOf(['HTTP/1.1 200 OK', 'Content-Length: 3'], upgrade), 'length 3');
  assert.equal(framingOf(['HTTP/1.1 200 OK'], { method: 'CONNECT', upgrade: false }), 'tunnel');
  assert.equal(
    framingOf(['HTTP/1.1 403 No', 'Content-Length: 3'], { method: 'CONNECT', upgrade: false }),
    'length 3',
  );
});

// H3
test('an upgrade request with a body is framed like any other', () => {
  const lines = ['Connection: keep-alive, Upgrade', 'Upgrade: websocket'];
  const head = accepted(get(...lines, 'Content-Length: 5'));
  assert.equal(head.upgrade, 'websocket');
  assert.equal(framingText(head.framing), 'length 5');
  assert.equal(head.keepAlive, true);
  assert.equal(accepted(get('Upgrade: websocket')).upgrade, null);
  assert.equal(accepted(message(['GET / HTTP/1.0', ...lines])).upgrade, null);
  refusesAll('upgrade-invalid', [
    get('Connection: upgrade', 'Upgrade: a b'),
    get('Connection: upgrade', 'Upgrade:'),
  ]);
});

// H5
test('a connection stays open as version, options and framing allow', () => {
  const request = (version: string, ...lines: string[]): boolean => {
    const head = accepted(message([`GET / HTTP/${version}`, 'Host: a.test', ...lines]));
    return staysOpen(head, head.framing);
  };
  assert.equal(request('1.1'), true);
  assert.equal(request('1.1', 'Connection: Close'), false);
  assert.equal(request('1.1', 'Connection: keep-alive', 'Connection: x, close'), false);
  assert.equal(request('1.0'), false);
  assert.equal(request('1.0', 'Connection: Keep-Alive'), true);
  assert.equal(request('1.1', 'Proxy-Connection: close'), false);
  const head = acceptedResponse(message(['HTTP/1.1 200 OK']));
  assert.equal(staysOpen(head, { kind: 'until-close', bytes: 0 }), false);
});
