import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../src/base/crc32c.ts';

test('the checksum fits the published vectors', () => {
  assert.equal(crc32c(new TextEncoder().encode('123456789')), 0xe3069283);
  // RFC 3720, B.4
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e);
});

test('pieces in turn give the checksum of the whole', () => {
  const bytes = new TextEncoder().encode('a header and what comes after it');
  assert.equal(crc32c(bytes.subarray(7), crc32c(bytes.subarray(0, 7))), crc32c(bytes));
});
