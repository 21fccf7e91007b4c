import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LiveState } from '../../../src/admin/dashboard/live/live-state.ts';
import type { Overview, Snapshot, Tick } from '../../../src/admin/live/messages.ts';
import { endedRow, row, sample } from '../live/test-source.ts';

const overview: Overview = {
  ...{ state: 'ready', at: 10_000, pools: [], configuration: 0 },
  counters: { active: 0, opened: 0, terminated: 0, refused: 0, handshakes: 0, requests: 0 },
  audit: { records: 0, sockets: 0, consistent: true },
};
const nothing = { rows: [], moves: [], gone: [], endings: [], samples: [] };
const snapshot = (changes: Partial<Snapshot>): Snapshot => ({
  ...{ ...overview, version: '1', measured: true, tickMs: 1_000, samples: [], rows: [], endings: [] },
  ...changes,
});
const tick = (at: number, changes: Partial<Tick>): Tick => ({ ...overview, ...nothing, at, ...changes });

describe('the live state', () => {
  it('keeps one object for a connection, and rates are those of the last tick', () => {
    const state = new LiveState();
    state.snapshot(snapshot({ rows: [row('a', { fromClient: 100 })] }));
    const a = state.connections.get('a')!;
    assert.deepEqual(a.rate(state.tick), { fromClient: 0, toClient: 0 }, 'what was before is no rate');
    state.apply(tick(12_000, { moves: [['a', 300, 50]] }));
    assert.deepEqual(a.rate(state.tick), { fromClient: 100, toClient: 25 });
    assert.deepEqual(a.bytes, { fromClient: 300, toClient: 50 });
    state.apply(tick(13_000, {}));
    assert.deepEqual(a.rate(state.tick), { fromClient: 0, toClient: 0 });
    state.apply(tick(14_000, { rows: [row('a', { state: 'half-closed', fromClient: 310, toClient: 50 })] }));
    assert.equal(state.connections.get('a'), a);
    assert.deepEqual([a.row.state, a.rate(state.tick).fromClient], ['half-closed', 10]);
    state.apply(tick(15_000, { gone: ['a'], moves: [['a', 1, 1]] }));
    assert.equal(state.connections.size, 0);
  });

  it('knows what passes over each route, also by what came and went within a tick', () => {
    const state = new LiveState();
    state.snapshot(snapshot({ rows: [row('a'), row('b', { route: 'other', toClient: 1_000 })] }));
    assert.equal(state.routes.of('web')?.active, 1);
    state.apply(
      tick(11_000, {
        moves: [['a', 10, 20]],
        gone: ['b'],
        endings: [
          endedRow('b', { route: 'other', toClient: 1_500 }),
          endedRow('c', { fromClient: 7 }),
          endedRow('d', { route: null, fromClient: 9 }),
        ],
        rows: [row('e', { toClient: 5 })],
      }),
    );
    assert.deepEqual(state.routes.of('web')?.rates, [0, 10 + 20 + 7 + 5]);
    assert.deepEqual(state.routes.of('other')?.rates, [0, 500]);
    assert.deepEqual([state.routes.of('web')?.active, state.routes.of('other')?.active], [2, 0]);
    for (let second = 12; second < 200; second++) state.apply(tick(second * 1_000, {}));
    assert.equal(state.routes.of('other'), undefined, 'a silent route without connections is forgotten');
    assert.equal(state.routes.of('web')?.rates.length, 120);
  });

  it('keeps the last thousand endings, and takes what was measured', () => {
    const state = new LiveState();
    state.snapshot(snapshot({ endings: [endedRow('first')], samples: [sample(1)] }));
    const endings = Array.from({ length: 1_000 }, (_, index) => endedRow(`e${index}`));
    state.apply(tick(11_000, { endings, samples: [sample(2), sample(3)] }));
    assert.deepEqual([state.endings.length, state.endings[0]?.id], [1_000, 'e0']);
    assert.equal(state.samples.last(9).length, 3);
  });

  it('begins anew with each snapshot', () => {
    const state = new LiveState();
    state.snapshot(snapshot({ rows: [row('a')], samples: [sample(1)] }));
    state.snapshot(snapshot({ rows: [row('b')], version: '2', measured: false }));
    assert.deepEqual([...state.connections.keys()], ['b']);
    assert.deepEqual([state.version, state.measured, state.samples.last(9).length], ['2', false, 0]);
  });
});
