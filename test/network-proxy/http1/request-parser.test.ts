import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestParser } from '../../../src/network-proxy/http1/request-parser.ts';
import { accepted, get, limits, message, outcome, readRequest, refusesAll } from './reading.ts';

test('a request tells method, target, host, fields and length', () => {
  const head = accepted(
    message(['POST /a/b?c=d HTTP/1.1', 'Host: A.Test.:8080', 'X-One:  1 ', 'x-one:\t2\t', 'X-None:'], 'body'),
  );
  assert.equal(head.method, 'POST');
  assert.equal(head.target, '/a/b?c=d');
  assert.equal(head.path, '/a/b');
  assert.equal(head.query, '?c=d');
  assert.equal(head.authority, 'A.Test.:8080');
  assert.equal(head.host, 'a.test');
  assert.equal(head.port, 8080);
  assert.equal(head.field('x-one'), '1, 2');
  assert.deepEqual(head.values('x-one'), ['1', '2']);
  assert.equal(head.field('x-none'), '');
  assert.equal(head.field('x'), undefined);
  assert.equal(head.nameAt(1), 'X-One');
  assert.equal(head.fieldCount, 4);
  assert.equal(head.minorVersion, 1);
  assert.equal(head.bytes.toString('latin1', head.length), 'body');
});

test('one empty line may stand before a request, not two, and not half of one', () => {
  assert.equal(accepted(Buffer.concat([Buffer.from('\r\n'), get()])).method, 'GET');
  refusesAll('method', [Buffer.concat([Buffer.from('\r\n\r\n'), get()])]);
  refusesAll('bare-cr', [Buffer.from('\rG')]);
  refusesAll('bare-lf', [Buffer.from('\nGET')]);
});

// H2
test('malformed lines are refused', () => {
  refusesAll('field-name', [get(': no name'), get('X(): 1'), get('X'), get('X\0: 1'), get('X\xe9: 1')]);
  refusesAll('space-before-colon', [get('X : 1'), get('X\t: 1'), get('Content-Length : 5')]);
  refusesAll('folded-line', [
    get('X: 1', ' folded'),
    get('X: 1', '\tfolded'),
    message(['GET / HTTP/1.1', ' Host: a']),
  ]);
  refusesAll('field-value', [get('X: a\0b'), get('X: a\x0bb'), get('X: \x7f'), get('X: \x0cb')]);
  refusesAll('bare-cr', [get('X: a\rb'), get('X: a\r\rb'), Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\rX')]);
  refusesAll('bare-lf', [
    get('X: a\nY: b'),
    get('X\n'),
    Buffer.from('GET / HTTP/1.1\nHost: a.test\n\n'),
    Buffer.from('GET /\nHost: a.test\r\n\r\n'),
  ]);
  assert.equal(accepted(get('X: caf\xe9')).field('x'), 'caf\xe9');
});

test('a start line has exactly a method, a target and a version', () => {
  const start = (line: string): Buffer => message([line, 'Host: a.test']);
  refusesAll('method', [start(' GET / HTTP/1.1'), start('G(T / HTTP/1.1'), start('GET\t/ HTTP/1.1')]);
  refusesAll('unknown-method', [
    start('BREW / HTTP/1.1'),
    start('get / HTTP/1.1'),
    start(`${'A'.repeat(33)}`),
  ]);
  refusesAll('target', [start('GET  / HTTP/1.1'), start('GET /a#b HTTP/1.1'), start('GET /\xe9 HTTP/1.1')]);
  refusesAll('version', [
    ...[start('GET /  HTTP/1.1'), start('GET / http/1.1'), start('GET / HTTP/1.1 '), start('GET / HTTP/1,1')],
    ...[start('GET / RTSP/1.0'), start('GET / HTTP/11')],
  ]);
  refusesAll('unknown-version', [start('GET / HTTP/2.0'), start('GET / HTTP/1.2'), start('GET / HTTP/0.9')]);
  refusesAll('target', [Buffer.from('GET /\r\n\r\n')]);
});

test('methods beyond the implemented ones pass where they are allowed to', () => {
  const bytes = message(['VERSION-CONTROL /x HTTP/1.1', 'Host: a.test']);
  const told = new RequestParser({ ...limits, anyMethod: true }).parse(bytes, 0, bytes.length);
  assert.ok(told?.kind === 'request' && told.method === 'VERSION-CONTROL');
  assert.equal(outcome(readRequest(bytes)), 'unknown-method');
});

test('each refusal has the status that the client is answered with', () => {
  const status = (bytes: Buffer, options = limits): unknown => {
    const told = readRequest(bytes, options);
    return told?.kind === 'invalid' ? told.status : null;
  };
  assert.equal(status(get(': x')), 400);
  assert.equal(status(get('Content-Length: 9999999999999999')), 413);
  assert.equal(status(get(), { headerBytes: 100, targetBytes: 0 }), 414);
  assert.equal(status(get(`X: ${'a'.repeat(100)}`), { headerBytes: 100 }), 431);
  assert.equal(status(get('Transfer-Encoding: gzip, chunked')), 501);
  assert.equal(status(message(['PRI / HTTP/1.1'])), 501);
  assert.equal(status(message(['GET * HTTP/2.0'].map((line) => line.replace('*', '/')))), 505);
});

test('heads, targets and fields are bounded exactly', () => {
  const bytes = get('X: 1');
  assert.equal(
    outcome(readRequest(bytes, { headerBytes: bytes.length })),
    `request of ${bytes.length} bytes`,
  );
  assert.equal(outcome(readRequest(bytes, { headerBytes: bytes.length - 1 })), 'head-too-large');
  assert.equal(outcome(readRequest(bytes.subarray(0, 20), { headerBytes: 20 })), 'head-too-large');
  assert.equal(
    outcome(readRequest(get('A: 1', 'B: 2'), { headerBytes: 1000, fields: 3 })),
    'request of 44 bytes',
  );
  assert.equal(
    outcome(readRequest(get('A: 1', 'B: 2'), { headerBytes: 1000, fields: 2 })),
    'too-many-fields',
  );
  const long = message([`GET /${'a'.repeat(99)} HTTP/1.1`, 'Host: a.test']);
  assert.equal(
    outcome(readRequest(long, { headerBytes: 1000, targetBytes: 100 })),
    `request of ${long.length} bytes`,
  );
  assert.equal(outcome(readRequest(long, { headerBytes: 1000, targetBytes: 99 })), 'target-too-long');
  assert.equal(outcome(readRequest(long, { headerBytes: 50 })), 'target-too-long');
});

test('pipelined requests are read one after the other, and the bytes may move in between', () => {
  const parser = new RequestParser(limits);
  const stream = Buffer.concat([get('X: 1'), message(['HEAD /2 HTTP/1.0']), get().subarray(0, 9)]);
  const first = parser.parse(stream, 0, stream.length);
  assert.ok(first?.kind === 'request' && first.field('x') === '1');
  const at = first.length;
  const second = parser.parse(stream, at, stream.length);
  assert.ok(second?.kind === 'request' && second.method === 'HEAD' && second.path === '/2');
  const rest = at + second.length;
  assert.equal(parser.parse(stream, rest, stream.length), null);
  const moved = Buffer.concat([Buffer.alloc(3), get()]);
  const third = parser.parse(moved, 3, moved.length);
  assert.ok(third?.kind === 'request' && third.host === 'a.test');
});

test('what a request says of its host never comes from the one before it', () => {
  const hosts = [
    'a.test',
    'a.test',
    'b.test:80',
    'b.test:8',
    'b.test:80',
    '',
    'a.tes!',
    'a.test',
    '[::1]',
    'A.test',
  ];
  const targets = ['/', 'http://a.test/', 'http://b.test:80'];
  const parser = new RequestParser(limits);
  for (const target of targets) {
    for (const host of [...hosts, ...hosts.toReversed()]) {
      const bytes = message([`GET ${target} HTTP/1.1`, `Host: ${host}`]);
      const told = parser.parse(bytes, 0, bytes.length);
      const alone = new RequestParser(limits).parse(bytes, 0, bytes.length);
      assert.equal(outcome(told), outcome(alone), `${target} ${host}`);
      if (told?.kind !== 'request' || alone?.kind !== 'request') continue;
      assert.deepEqual([told.authority, told.host, told.port], [alone.authority, alone.host, alone.port]);
    }
  }
});

test('a parser tells whether a head has begun, as its deadline needs', () => {
  const parser = new RequestParser(limits);
  const bytes = Buffer.concat([Buffer.from('\r\n'), get()]);
  assert.equal(parser.inHead, false);
  parser.parse(bytes, 0, 2);
  assert.equal(parser.inHead, false);
  parser.parse(bytes, 0, 3);
  assert.equal(parser.inHead, true);
  parser.parse(bytes, 0, bytes.length);
  assert.equal(parser.inHead, false);
});

test('a head of 64 KiB that arrives byte by byte is looked at once', () => {
  const parser = new RequestParser(limits);
  const bytes = get(`X: ${'a'.repeat(60_000)}`);
  const counting = { reads: 0 };
  // Each call sees one byte more: with every byte read once more in each call these were 1.8 billion.
  const watched = new Proxy(bytes, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) counting.reads++;
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  for (let to = 1; to < bytes.length; to++) assert.equal(parser.parse(watched, 0, to), null);
  assert.equal(parser.parse(watched, 0, bytes.length)?.kind, 'request');
  assert.ok(counting.reads < 4 * bytes.length, `${counting.reads} reads`);
});

test('a head that is kept outlives the bytes that it was read from', () => {
  const bytes = Buffer.concat([Buffer.from('xx'), get('X: 1')]);
  const head = new RequestParser(limits).parse(bytes, 2, bytes.length);
  assert.ok(head?.kind === 'request');
  head.keep();
  bytes.fill(0);
  assert.equal(head.field('x'), '1');
  assert.equal(head.host, 'a.test');
});
