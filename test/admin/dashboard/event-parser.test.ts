import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventParser } from '../../../src/admin/dashboard/admin-api/event-parser.ts';

const text = 'event: snapshot\ndata: {"a":"b: c"}\n\nevent: tick\ndata: 1\ndata: 2\n\ndata: x\n\n';
const events = [
  { event: 'snapshot', data: '{"a":"b: c"}' },
  { event: 'tick', data: '1\n2' },
  { event: 'message', data: 'x' },
];

describe('the parser of server-sent events', () => {
  it('reads the same whatever the pieces are', () => {
    for (let first = 0; first <= text.length; first++) {
      for (let second = first; second <= text.length; second++) {
        const parser = new EventParser();
        const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)];
        assert.deepEqual(
          pieces.flatMap((piece) => parser.push(piece)),
          events,
          `cut at ${first} and ${second}`,
        );
      }
    }
  });

  it('gives up on an event that does not end', () => {
    const parser = new EventParser();
    const piece = 'x'.repeat(8_000_000);
    assert.throws(() => {
      for (let count = 0; count < 5; count++) parser.push(piece);
    }, /without an end/);
  });
});
