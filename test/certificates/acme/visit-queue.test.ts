import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ManagedCertificate } from '../../../src/certificates/acme/managed-certificate.ts';
import { VisitQueue } from '../../../src/certificates/acme/visit-queue.ts';

/** All that a queue asks of a certificate. */
function certificate(id: string, urgency: number): ManagedCertificate {
  return { id, urgency } as ManagedCertificate;
}

/** A queue whose visits end when the test says so. */
function queueOf(maxVisits: number) {
  const begun: string[] = [];
  const ended: string[] = [];
  const ends = new Map<string, () => void>();
  const queue = new VisitQueue(
    maxVisits,
    ({ id }) => {
      begun.push(id);
      return new Promise((resolve) => ends.set(id, resolve));
    },
    ({ id }) => void ended.push(id),
  );
  const end = async (id: string): Promise<void> => {
    ends.get(id)?.();
    await new Promise(setImmediate);
  };
  return { queue, begun, ended, end };
}

test('some at a time, and of those that wait the most urgent first; of equals the first that came', async () => {
  const { queue, begun, ended, end } = queueOf(2);
  const all = [
    certificate('calm', 3_000),
    certificate('calmer', 4_000),
    certificate('soon', 2_000),
    certificate('missing', 0),
    certificate('missing too', 0),
    certificate('revoked', 1),
  ];
  for (const one of all) queue.add(one);
  for (const one of all) queue.add(one);
  assert.deepEqual(begun, ['calm', 'calmer']);
  for (const id of ['calm', 'missing', 'missing too', 'revoked', 'soon', 'calmer']) await end(id);
  assert.deepEqual(begun, ['calm', 'calmer', 'missing', 'missing too', 'revoked', 'soon']);
  assert.deepEqual(ended.toSorted(), all.map(({ id }) => id).toSorted());
});

test('a closed queue begins nothing, and is closed when what goes on is over', async () => {
  const { queue, begun, ended, end } = queueOf(1);
  const [first, second] = [certificate('first', 0), certificate('second', 0)];
  queue.add(first);
  queue.add(second);
  let isSettled = false;
  void queue.settled(second).then(() => {
    isSettled = true;
  });
  let isClosed = false;
  const closing = queue.close().then(() => {
    isClosed = true;
  });
  await new Promise(setImmediate);
  assert.deepEqual([isSettled, isClosed, queue.has(second)], [true, false, false]);
  await end('first');
  await closing;
  queue.add(second);
  assert.deepEqual([begun, ended], [['first'], []]);
});
