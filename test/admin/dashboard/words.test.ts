import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { byteRate, bytes, count, shortCount } from '../../../src/admin/dashboard/words/amounts.ts';
import { duration, longDuration } from '../../../src/admin/dashboard/words/durations.ts';
import { endpoint } from '../../../src/admin/dashboard/words/endpoints.ts';

describe('the words of the dashboard', () => {
  it('tell amounts with three digits that count', () => {
    assert.deepEqual([0, 999, 1_000, 1_234, 12_345, 999_400, 999_600, 1.5e9, 2e15, 9e18].map(bytes), [
      '0 B',
      '999 B',
      '1.00 kB',
      '1.23 kB',
      '12.3 kB',
      '999 kB',
      '1.00 MB',
      '1.50 GB',
      '2.00 PB',
      '9000 PB',
    ]);
    assert.equal(byteRate(2_500), '2.50 kB/s');
    assert.deepEqual([0, 0.25, 1, 9.94, 9.96, 950, 9_999, 12_345, 3.4e6].map(shortCount), [
      '0',
      '0.3',
      '1',
      '9.9',
      '10',
      '950',
      '9,999',
      '12.3k',
      '3.40M',
    ]);
    assert.equal(count(1_234_567), '1,234,567');
  });

  it('tell durations as short as they are still meant', () => {
    assert.deepEqual(
      [0, 0.04, 0.44, 9.96, 12.4, 999.4, 1_000, 9_940, 59_400, 61_000, 3_600_000, 90_061_000].map(duration),
      [
        '0 ms',
        '0 ms',
        '0.4 ms',
        '10 ms',
        '12 ms',
        '999 ms',
        '1 s',
        '9.9 s',
        '59 s',
        '1 m 1 s',
        '1 h',
        '1 d 1 h',
      ],
    );
    assert.deepEqual([-5, 0.9, 60, 3_599].map(longDuration), ['0 s', '0 s', '1 m', '59 m 59 s']);
  });

  it('write places as programs do', () => {
    assert.equal(endpoint('192.0.2.1', 443), '192.0.2.1:443');
    assert.equal(endpoint('2001:db8::1', 443), '[2001:db8::1]:443');
    assert.equal(endpoint('/run/app.sock', 0), '/run/app.sock');
    assert.equal(endpoint('', 0), '–');
  });
});
