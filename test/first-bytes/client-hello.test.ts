import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ClientHello, ClientHelloParser, type HelloResult } from '../../src/first-bytes/client-hello.ts';
import {
  buildHello,
  buildHelloMessage,
  concat,
  type Extension,
  inRecords,
  latin1,
  serverNameExtension,
  vector8,
  vector16,
} from '../support/client-hellos.ts';

function parse(...pieces: readonly Uint8Array[]): HelloResult {
  const parser = new ClientHelloParser();
  let result = parser.push(new Uint8Array(0));
  for (const piece of pieces) result = parser.push(piece);
  return result;
}

function parseHello(bytes: Uint8Array): ClientHello {
  const result = parse(bytes);
  assert.equal(result.kind, 'hello', JSON.stringify(result));
  return result as ClientHello;
}

function whyInvalid(bytes: Uint8Array): string {
  const result = parse(bytes);
  return result.kind === 'invalid' ? result.why : result.kind;
}

const postQuantum = { serverName: 'last.a.test', keyShareBytes: 1216 + 32, alpn: ['h2', 'http/1.1'] };
const grease: Extension[] = [
  [0x0a0a, new Uint8Array(0)],
  [0xfafa, Uint8Array.of(0)],
];

// T1
test('a post-quantum hello with its name last is read whole and at every split', () => {
  const bytes = buildHello({ ...postQuantum, before: [[21, new Uint8Array(250)]] });
  assert.ok(bytes.length > 1600 && bytes.length < 1800, String(bytes.length));
  const whole = parseHello(bytes);
  assert.equal(whole.serverName, 'last.a.test');
  assert.equal(whole.length, bytes.length);
  for (let at = 1; at < bytes.length; at++) {
    const parser = new ClientHelloParser();
    const first = parser.push(bytes.subarray(0, at));
    assert.equal(first.kind, 'incomplete');
    assert.ok(first.kind === 'incomplete' && first.need > at && first.need <= bytes.length);
    assert.deepEqual(parser.push(bytes.subarray(at)), whole);
  }
});

// T2
test('a hello over two records is read the same wherever it is cut, the handshake header too', () => {
  const message = buildHelloMessage(postQuantum);
  for (let at = 1; at < message.length; at++) {
    const bytes = inRecords(message, [at, message.length - at]);
    const hello = parseHello(bytes);
    assert.equal(hello.serverName, 'last.a.test');
    assert.equal(hello.length, bytes.length);
  }
});

// T2
test('a hello over N records is read the same, down to one byte in each record and in each segment', () => {
  const message = buildHelloMessage(postQuantum);
  const { length: _, ...expected } = parseHello(inRecords(message, [16_384]));
  for (const sizes of [[1], [2], [3], [4], [1, 3, 7], [5], [64], [2, 1000, 1], [500]]) {
    const bytes = inRecords(message, sizes);
    assert.deepEqual(parse(bytes), { ...expected, length: bytes.length });
    assert.deepEqual(parse(...Array.from(bytes, (byte) => Uint8Array.of(byte))), {
      ...expected,
      length: bytes.length,
    });
  }
});

test('any cut into records and segments gives one result, and every need is a true lower bound', () => {
  const message = buildHelloMessage({ serverName: 'b.test', alpn: ['h2'], after: grease });
  const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(cuts, cuts, (records, segments) => {
      const bytes = inRecords(message, records);
      const parser = new ClientHelloParser();
      let result: HelloResult = parser.push(new Uint8Array(0));
      for (let at = 0, index = 0; at < bytes.length; index++) {
        assert.ok(result.kind === 'incomplete' && result.need > at && result.need <= bytes.length);
        const size = segments[index % segments.length] as number;
        result = parser.push(bytes.subarray(at, at + size));
        at += size;
      }
      assert.deepEqual(result, parseHello(bytes));
    }),
    { numRuns: 300 },
  );
});

test('what follows the hello in a later record is not looked at', () => {
  const bytes = buildHello();
  const result = parse(concat(bytes, Uint8Array.of(20, 3, 3, 0, 1, 1)));
  assert.equal(result.kind === 'hello' && result.length, bytes.length);
});

// T3
test('a hello that cannot fit is too large as soon as it says so, and at the same byte for any split', () => {
  const bytes = buildHello({ keyShareBytes: 9000 });
  assert.deepEqual(new ClientHelloParser(9000).push(bytes.subarray(0, 9)), { kind: 'too-large' });
  const bytewise = new ClientHelloParser(9000);
  for (const byte of bytes.subarray(0, 8))
    assert.equal(bytewise.push(Uint8Array.of(byte)).kind, 'incomplete');
  assert.equal(bytewise.push(bytes.subarray(8, 9)).kind, 'too-large');
  assert.equal(new ClientHelloParser(bytes.length - 1).push(bytes).kind, 'too-large');
  assert.equal(new ClientHelloParser(bytes.length).push(bytes).kind, 'hello');
});

// T3
test('record headers count: thousands of tiny records are too large although their message is not', () => {
  const bytes = inRecords(buildHelloMessage({ keyShareBytes: 2000 }), [1]);
  assert.equal(new ClientHelloParser(8192).push(bytes).kind, 'too-large');
});

// T5
test('GREASE is ignored among extensions, protocols and versions, in any order of extensions', () => {
  const hello = parseHello(
    buildHello({
      serverName: 'a.test',
      alpn: ['\x1a\x1a', 'h2', '\xea\xea', 'http/1.1'],
      versions: [0x4a4a, 0x0304, 0x0303],
      before: [...grease, [17513, new Uint8Array(3)]],
      after: [[0x8a8a, new Uint8Array(5)]],
    }),
  );
  assert.equal(hello.serverName, 'a.test');
  assert.deepEqual(hello.alpn, ['h2', 'http/1.1']);
  assert.deepEqual(hello.versions, ['TLSv1.3', 'TLSv1.2']);
});

// T5
test('an outer ECH routes on the outer name and says so; the inner form and drafts do not count', () => {
  const outer = concat(
    Uint8Array.of(0, 0, 1, 0, 1, 9),
    vector16(new Uint8Array(32)),
    vector16(new Uint8Array(144)),
  );
  const hello = parseHello(buildHello({ serverName: 'public.test', after: [[0xfe0d, outer]] }));
  assert.deepEqual([hello.serverName, hello.ech], ['public.test', true]);
  assert.equal(parseHello(buildHello({ after: [[0xfe0d, Uint8Array.of(1)]] })).ech, false);
  assert.equal(parseHello(buildHello({ after: [[0xfe0a, outer]] })).ech, false);
});

test('a ticket, a pre-shared key, or a session id without TLS 1.3 means resumption', () => {
  const resumes = (description: Parameters<typeof buildHello>[0]) =>
    parseHello(buildHello(description)).resumes;
  assert.equal(resumes({}), false);
  assert.equal(resumes({ after: [[35, new Uint8Array(0)]] }), false);
  assert.equal(resumes({ after: [[35, new Uint8Array(9)]] }), true);
  assert.equal(resumes({ after: [[41, new Uint8Array(9)]] }), true);
  assert.equal(resumes({ versions: null }), true);
  assert.equal(resumes({ versions: null, sessionId: new Uint8Array(0) }), false);
  assert.equal(parseHello(buildHello({ after: [[42, new Uint8Array(0)]] })).earlyData, true);
});

test('versions come from the extension, else from the legacy field', () => {
  const versions = (description: Parameters<typeof buildHello>[0]) =>
    parseHello(buildHello(description)).versions;
  assert.deepEqual(versions({ versions: [0x7f1c, 0x0302] }), ['0x7f1c', 'TLSv1.1']);
  assert.deepEqual(versions({ versions: null, legacyVersion: 0x0301 }), ['TLSv1']);
});

test('a hello without an extension block is an old client without a name', () => {
  const hello = parseHello(buildHello({ serverName: null, versions: null }));
  assert.deepEqual([hello.serverName, hello.alpn], [null, []]);
});

test('protocols that are not visible ASCII are escaped for the log', () => {
  assert.deepEqual(parseHello(buildHello({ alpn: ['a b%\n\xff'] })).alpn, ['a%20b%25%0A%FF']);
});

test('what is no TLS is told by its first two bytes', () => {
  assert.deepEqual(parse(Uint8Array.of(0x80)), { kind: 'not-tls' });
  assert.deepEqual(parse(Uint8Array.of(22, 2)), { kind: 'not-tls' });
  assert.deepEqual(parse(latin1('GET / HTTP/1.1\r\n')), { kind: 'not-tls' });
});

const invalid: [string, Uint8Array, string][] = [
  ['an empty record', concat(Uint8Array.of(22, 3, 1, 0, 0), buildHello()), 'empty record'],
  ['a record beyond 2^14', Uint8Array.of(22, 3, 1, 0x40, 1), 'record over 16384 bytes'],
  ['a ServerHello', Uint8Array.of(22, 3, 3, 0, 80, 2), 'not a ClientHello'],
  [
    'an alert between the records of a hello',
    concat(inRecords(buildHelloMessage(), [50]).subarray(0, 55), Uint8Array.of(21)),
    'another record inside the hello',
  ],
  [
    'a second message in the record of the hello',
    inRecords(concat(buildHelloMessage(), Uint8Array.of(1, 0, 0, 0)), [16_384]),
    'more than a hello in its record',
  ],
  ['an extension twice', buildHello({ after: [serverNameExtension('b.test')] }), 'an extension comes twice'],
  [
    'a pre-shared key before other extensions',
    buildHello({ before: [[41, new Uint8Array(4)]] }),
    'pre_shared_key is not the last extension',
  ],
  ['a session id of 33 bytes', buildHello({ sessionId: new Uint8Array(33) }), 'session id over 32 bytes'],
  ['an empty ALPN list', buildHello({ alpn: [] }), 'malformed ALPN'],
  ['an empty protocol', buildHello({ alpn: ['h2', ''] }), 'malformed ALPN'],
  ['a hundred protocols', buildHello({ alpn: Array(100).fill('x') }), 'malformed ALPN'],
  ['no versions', buildHello({ versions: [] }), 'malformed supported_versions'],
  [
    'an odd list of versions',
    buildHello({ versions: null, after: [[43, vector8(Uint8Array.of(3, 4, 3))]] }),
    'malformed supported_versions',
  ],
  ['a legacy version that is not 3.x', buildHello({ legacyVersion: 0x0203 }), 'unknown legacy version'],
];

for (const [what, bytes, why] of invalid) {
  test(`${what} makes the hello invalid`, () => assert.equal(whyInvalid(bytes), why));
}

test('a hello whose inner lengths were cut short is invalid at every cut', () => {
  const message = buildHelloMessage({ alpn: ['h2'] });
  const beforeExtensions = 4 + 2 + 32 + 33 + 10 + 2;
  for (let length = 4; length < message.length; length++) {
    const shorter = message.slice(0, length);
    new DataView(shorter.buffer).setUint32(0, (1 << 24) | (length - 4));
    const expected = length === beforeExtensions ? 'hello' : 'invalid';
    assert.equal(parse(inRecords(shorter, [16_384])).kind, expected, String(length));
  }
});

test('a final result stays, whatever comes after it', () => {
  const parser = new ClientHelloParser();
  const result = parser.push(buildHello());
  assert.equal(parser.push(Uint8Array.of(0, 0, 0)), result);
});
