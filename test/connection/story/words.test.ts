import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteWords, durationWords, listWords, placeWords } from '../../../src/connection/story/words.ts';

test('durations are said in one unit, or two where both matter', () => {
  const minute = 60_000;
  const expected: [number, string][] = [
    [0, 'less than 0.1 ms'],
    [0.42, '0.4 ms'],
    [1.1, '1.1 ms'],
    [2, '2 ms'],
    [250.4, '250 ms'],
    [999.6, '1 s'],
    [15_000, '15 s'],
    [59_960, '1 min'],
    [5 * minute, '5 min'],
    [5 * minute + 12_000, '5 min 12 s'],
    [60 * minute, '1 h'],
    [90 * minute, '1 h 30 min'],
    [72 * 60 * minute, '3 days'],
    [73 * 60 * minute, '3 days 1 h'],
  ];
  for (const [milliseconds, words] of expected) assert.equal(durationWords(milliseconds), words);
});

test('bytes are exact, places and lists are readable', () => {
  assert.deepEqual([0, 1, 517, 1_234_567].map(byteWords), [
    'nothing',
    '1 byte',
    '517 bytes',
    '1,234,567 bytes',
  ]);
  assert.equal(placeWords('::1', 443), '[::1]:443');
  assert.equal(placeWords('127.0.0.1', 443), '127.0.0.1:443');
  assert.equal(placeWords('/run/app.sock', 0), '/run/app.sock');
  assert.equal(placeWords('', 0), 'a unix socket');
  assert.equal(listWords(['h2']), 'h2');
  assert.equal(listWords(['h2', 'http/1.1', 'x']), 'h2, http/1.1 and x');
});
