import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LiveTable } from '../../../src/admin/live/live-table.ts';
import { row } from './test-source.ts';

describe('the table of what viewers know', () => {
  it('tells new rows whole, moved bytes in short, and who is gone', () => {
    const table = new LiveTable();
    const [a, b] = [row('a'), row('b')];
    assert.deepEqual(table.update([a, b]), { rows: [a, b], moves: [], gone: [] });
    assert.deepEqual(table.update([{ ...a, fromClient: 5 }, b]), {
      rows: [],
      moves: [['a', 5, 0]],
      gone: [],
    });
    assert.deepEqual(table.update([b]), { rows: [], moves: [], gone: ['a'] });
  });

  it('tells a row whole again when more than its bytes has changed', () => {
    const table = new LiveTable();
    table.update([row('a')]);
    for (const change of [
      { state: 'closing' },
      { route: 'other' },
      { target: null },
      { name: null },
      { client: '198.51.100.1' },
      { clientPort: 1 },
    ] as const) {
      const changed = row('a', { ...change, fromClient: 1 });
      assert.deepEqual(table.update([changed]).rows, [changed], JSON.stringify(change));
      table.update([row('a')]);
    }
  });

  it('tells a flow of the kernel whole when it moves, for its packets', () => {
    const table = new LiveTable();
    const flow = row('a', { engine: 'nftables', packets: { fromClient: 1, toClient: 0 }, exact: true });
    table.update([flow]);
    const moved = { ...flow, toClient: 40, packets: { fromClient: 1, toClient: 1 } };
    assert.deepEqual(table.update([moved]), { rows: [moved], moves: [], gone: [] });
  });

  it('says nothing of what stayed as it was', () => {
    const table = new LiveTable();
    table.update([row('a')]);
    assert.deepEqual(table.update([row('a')]), { rows: [], moves: [], gone: [] });
  });
});
