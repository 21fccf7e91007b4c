import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cell,
  createPaint,
  shortAge,
  shortBytes,
  shortNumber,
  sparkline,
  spread,
} from '../../src/cli/screen/cells.ts';
import { connectionHead } from '../../src/cli/screen/connection-columns.ts';

test('a cell is exactly as wide as it should be, and moves no cursor', () => {
  assert.equal(cell('abc', 5), 'abc  ');
  assert.equal(cell('abc', 5, 'right'), '  abc');
  assert.equal(cell('abcdef', 5), 'abcd…');
  assert.equal(cell('a\u001b[2Jb', 8), 'a\ufffd[2Jb  ');
  assert.equal(cell('abc', 0), '');
  assert.equal(spread('left', 'right', 12), 'left   right');
  assert.equal(spread('much too long', 'right', 12), 'much … right');
});

test('figures are short: no column grows', () => {
  assert.deepEqual([0, 999, 1_000, 1_234_567, 99_960, 5e12].map(shortBytes), [
    ...['0 B', '999 B', '1.0 kB', '1.2 MB', '100 kB', '5.0 TB'],
  ]);
  assert.deepEqual([0, 0.42, 9.96, 12.3, 9_999, 12_345, 1_500_000].map(shortNumber), [
    ...['0', '0.4', '10', '12', '9999', '12k', '1.5M'],
  ]);
  assert.deepEqual([0, 99_000, 100_000, 7_200_000, 864_000_000].map(shortAge), [
    '0s',
    '99s',
    '1m',
    '2h',
    '10d',
  ]);
});

test('bars show the newest values at the right', () => {
  assert.equal(sparkline([1, 2, 4, 8], 6), '  ▁▂▄█');
  assert.equal(sparkline([5, 0, 1, 2], 3), ' ▄█');
  assert.equal(sparkline([0, 0], 2), '  ');
});

test('a narrow terminal gets the columns that matter most', () => {
  assert.match(connectionHead(80, 'AGE'), /^ID +CLIENT +ROUTE +STATE +IN +OUT +IDLE AGE▾ *$/);
  assert.match(connectionHead(160, 'IN'), /NAME +TARGET .* IN▾ +OUT +IN\/S +OUT\/S/);
  for (const width of [20, 40, 80, 133]) assert.equal(connectionHead(width, '').length, width);
});

test('NO_COLOR leaves emphasis without colour', () => {
  assert.equal(createPaint({ NO_COLOR: '1' }).alarm('x'), '\u001b[1mx\u001b[0m');
  assert.equal(createPaint({}).alarm('x'), '\u001b[1;31mx\u001b[0m');
});
