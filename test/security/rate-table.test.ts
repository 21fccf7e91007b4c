import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RateTable } from '../../src/security/rate-table.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

describe('RateTable', () => {
  it('grants exactly the stated number at once, for any number', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3_000 }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (perMinute, startMs) => {
          const table = new RateTable(new VirtualClock({ startMs }));
          for (let i = 0; i < perMinute; i++) assert.equal(table.take('10.0.0.1', perMinute), true);
          assert.equal(table.take('10.0.0.1', perMinute), false);
        },
      ),
    );
  });

  it('never grants more than the budget and what the time has given back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.nat(5_000), { maxLength: 300 }),
        (perMinute, pauses) => {
          const clock = new VirtualClock();
          const table = new RateTable(clock);
          let granted = 0;
          for (const pause of pauses) {
            clock.advance(pause);
            if (table.take('10.0.0.1', perMinute)) granted++;
            assert.ok(granted <= perMinute + (clock.now() * perMinute) / 60_000 + 1e-3);
          }
        },
      ),
    );
  });

  it('never refuses an address that stays within its rate', () => {
    const clock = new VirtualClock();
    const table = new RateTable(clock);
    for (let i = 0; i < 500; i++) {
      assert.equal(table.take('10.0.0.1', 7), true);
      clock.advance(60_000 / 7);
      if (i % 7 === 0) table.rotate();
    }
  });

  it('loses nothing that matters when it forgets after a minute', () => {
    const clock = new VirtualClock();
    const table = new RateTable(clock);
    for (let i = 0; i < 10; i++) table.take('10.0.0.1', 10);
    table.rotate();
    assert.equal(table.take('10.0.0.1', 10), false);
    clock.advance(60_000);
    table.rotate();
    table.rotate();
    assert.equal(table.size, 0);
  });

  // S3
  it('forgets the oldest early where it is full, but not who keeps coming', () => {
    const table = new RateTable(new VirtualClock(), 100);
    assert.equal(table.take('flooder', 1), true);
    for (let i = 0; i < 10_000; i++) {
      table.take(`10.0.${i >>> 8}.${i & 255}`, 1);
      assert.equal(table.take('flooder', 1), false);
      assert.ok(table.size <= 200);
    }
    assert.equal(table.take('10.0.0.0', 1), true);
  });
});
