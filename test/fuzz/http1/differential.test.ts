import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzHttp1 } from './run.ts';

// H1, H2, H5
test('ours never accepts what llhttp rejects, and never frames a message differently', () => {
  const { passed, failures, counts } = fuzzHttp1(20_000, 1);
  assert.deepEqual(failures, []);
  assert.equal(passed, 20_000);
  // A generator that makes only nonsense, or only sound messages, would prove nothing.
  assert.ok((counts.get('both accept') ?? 0) > 2_000);
  assert.ok((counts.get('both refuse') ?? 0) > 2_000);
});
