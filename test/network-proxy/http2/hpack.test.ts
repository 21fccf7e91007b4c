import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transport } from '../../../src/base/transport.ts';
import { PlainComposition } from '../../../src/network-proxy/http1/plain-composition.ts';
import { HpackDecoder } from '../../../src/network-proxy/http2/hpack/decoder.ts';
import { putField, putStatus } from '../../../src/network-proxy/http2/hpack/encoder.ts';
import { huffmanText } from '../../../src/network-proxy/http2/hpack/huffman.ts';

const limits = { listBytes: 65_536, fields: 100 };
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

function decode(decoder: HpackDecoder, bytes: Buffer): string[] | null {
  return decoder.decode(bytes, 0, bytes.length);
}

/** RFC 7541 C.3 and C.4: the same three requests on one connection, plain and by Huffman's code. */
const requests = [
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
  [
    ...[':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
    ...['cache-control', 'no-cache'],
  ],
  [
    ...[':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com'],
    ...['custom-key', 'custom-value'],
  ],
];
const written = {
  plain: [
    '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    '8286 84be 5808 6e6f 2d63 6163 6865',
    '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
  ],
  huffman: [
    '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
    '8286 84be 5886 a8eb 1064 9cbf',
    '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
  ],
};

for (const [form, blocks] of Object.entries(written)) {
  test(`the requests of the RFC are read, ${form}`, () => {
    const decoder = new HpackDecoder(limits);
    for (const [place, block] of blocks.entries()) {
      assert.deepEqual(decode(decoder, hex(block)), requests[place]);
    }
  });
}

test('the answers of the RFC are read while a small table forgets', () => {
  const decoder = new HpackDecoder(limits);
  // C.6 supposes a table of 256 bytes: a change of its size comes first.
  const first = hex(
    '3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
  );
  const date = 'Mon, 21 Oct 2013 20:13:21 GMT';
  const location = ['location', 'https://www.example.com'];
  assert.deepEqual(decode(decoder, first), [
    ...[':status', '302', 'cache-control', 'private', 'date', date],
    ...location,
  ]);
  assert.deepEqual(decode(decoder, hex('4883 640e ffc1 c0bf')), [
    ...[':status', '307', 'cache-control', 'private', 'date', date],
    ...location,
  ]);
  const third = hex(
    '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
  );
  assert.deepEqual(decode(decoder, third), [
    ...[':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
    ...location,
    ...['content-encoding', 'gzip'],
    ...['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ]);
});

test('what is no head is told, and never read further than it goes', () => {
  const broken = {
    'index 0': '80',
    'an index that nobody has': 'ff00',
    'an index of the table before anything is in it': 'be',
    'a number without end': 'ffffffffffffffffff',
    'a number that is too large': 'ffffffffff07',
    'a text that is longer than the head': '000a6162',
    'a name without a value': '000161',
    'a size beyond what was allowed': '3fe21f',
    'a change of size behind a field': '8220',
    'a code that does not end with ones': '0001618106',
    'more padding than a byte': '00016182ffff',
    EOS: '00016184ffffffff',
  };
  for (const [what, block] of Object.entries(broken)) {
    assert.equal(decode(new HpackDecoder(limits), hex(block)), null, what);
  }
  const whole = hex(written.plain[2] as string);
  for (let end = 0; end < whole.length; end++) {
    const decoder = new HpackDecoder(limits);
    decode(decoder, hex(written.plain[0] as string));
    const read = decoder.decode(whole, 0, end);
    assert.ok(read === null || read.length < (requests[2] as string[]).length, `cut at ${end}`);
  }
});

test('a head beyond the limits is read to its end, but not kept', () => {
  const decoder = new HpackDecoder({ listBytes: 200, fields: 3 });
  const large = Buffer.concat([hex('4001 61 7f2d'), Buffer.alloc(127 + 45, 0x62)]);
  assert.deepEqual(decode(decoder, large), []);
  assert.equal(decoder.exceeded, true);
  assert.equal(decode(decoder, hex('82'))?.length, 2);
  assert.equal(decoder.exceeded, false);
  assert.equal(decode(decoder, hex('be')) !== null && decoder.exceeded, true, 'it went into the table');
  assert.equal(decode(decoder, hex('8282 8282'))?.length, 6);
  assert.equal(decoder.exceeded, true);
});

test('entries of the table go one by one, and one that is too large takes all of them', () => {
  const decoder = new HpackDecoder(limits);
  const add = (letter: string): Buffer =>
    Buffer.from(`4001${letter}01${letter}`.replaceAll(/[a-z]/g, hexOf), 'hex');
  for (let round = 0; round < 1000; round++) decode(decoder, add('abcdefgh'[round % 8] as string));
  // 34 bytes each: 120 fit into 4,096.
  const oldest = hex(`ff${(61 + 120 - 127).toString(16).padStart(2, '0')}`);
  assert.deepEqual(decode(decoder, oldest), [...'aa']);
  const none = hex(`ff${(61 + 121 - 127).toString(16).padStart(2, '0')}`);
  assert.equal(decoder.decode(none, 0, none.length), null);
  const other = new HpackDecoder(limits);
  decode(other, add('a'));
  decode(other, Buffer.concat([hex('4001 62 7fe11f'), Buffer.alloc(127 + 4065, 0x62)]));
  assert.equal(decode(other, hex('be')), null);
});

function hexOf(letter: string): string {
  return letter.charCodeAt(0).toString(16);
}

test('a code that is none of a text is told', () => {
  assert.equal(huffmanText(hex('f1e3 c2e5 f23a 6ba0 ab90 f4ff'), 0, 12), 'www.example.com');
  assert.equal(huffmanText(Buffer.alloc(0), 0, 0), '');
});

test('what is written is read again', () => {
  const parts: Buffer[] = [];
  const transport = { write: (bytes: Buffer) => parts.push(Buffer.from(bytes)) > 0 };
  const out = new PlainComposition(transport as unknown as Transport);
  const fields = [
    ['server', 'x'],
    ['x-own', 'a'.repeat(126)],
    ['x-own', 'b'.repeat(127)],
    [`x-${'n'.repeat(300)}`, 'c'.repeat(70_000)],
    ['set-cookie', ''],
    ['x-bytes', Buffer.from(Array.from({ length: 128 }, (_, i) => i + 128)).toString('latin1')],
  ] as const;
  for (const status of [200, 204, 404, 418]) putStatus(out, status);
  for (const [name, value] of fields) putField(out, name, value);
  out.commit();
  const statuses = ['200', '204', '404', '418'].flatMap((status) => [':status', status]);
  const decoder = new HpackDecoder({ listBytes: 1_000_000, fields: 100 });
  assert.deepEqual(decode(decoder, Buffer.concat(parts)), [...statuses, ...fields.flat()]);
});
