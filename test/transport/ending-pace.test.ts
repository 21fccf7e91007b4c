import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndingPace, endingsPerTurn } from '../../src/transport/ending-pace.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { eventually, onBothKinds, Recorder } from './rig.ts';

class Ending {
  readonly name: number;
  readonly #told: number[];

  constructor(name: number, told: number[]) {
    this.name = name;
    this.#told = told;
  }

  endingIsDue(): void {
    this.#told.push(this.name);
  }
}

test('endings that come together are spread over turns, in order, and none is lost', () => {
  const clock = new VirtualClock({ seed: 1 });
  const pace = new EndingPace(clock);
  const told: number[] = [];
  const endings = Array.from({ length: 3 * endingsPerTurn + 1 }, (_, name) => new Ending(name, told));
  for (const ending of endings) if (pace.admits(ending)) told.push(ending.name);
  assert.equal(told.length, endingsPerTurn);
  clock.runNext();
  assert.equal(told.length, 2 * endingsPerTurn);
  const late = new Ending(endings.length, told);
  assert.equal(pace.admits(late), false);
  clock.runNext();
  clock.runNext();
  assert.deepEqual(
    told,
    [...endings, late].map(({ name }) => name),
  );
  assert.equal(pace.admits(late), true);
  clock.runNext();
  assert.equal(clock.pending, 0);
});

// L11
test(
  'many connections that end in one turn of the loop are all told, in several turns',
  onBothKinds(async (rig) => {
    const server = await rig.serve();
    const count = 4 * endingsPerTurn;
    const accepted: Awaited<ReturnType<typeof rig.accepted>>[] = [];
    for (let i = 0; i < count; i++) accepted.push(await rig.accepted(server));
    const listeners = accepted.map(({ transport }) => {
      const listener = new Recorder();
      transport.setListener(listener);
      transport.resume();
      return listener;
    });
    for (const { client } of accepted) client.end('bye');
    await eventually(() => listeners.every((listener) => listener.heard('end')));
    for (const listener of listeners) assert.equal(listener.bytes.toString(), 'bye');
  }),
);
