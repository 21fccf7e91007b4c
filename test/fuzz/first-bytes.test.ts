import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzFirstBytes } from './first-bytes.ts';

// T2, T9, T10, P1, P2
test('mutated first bytes never throw, and no cut changes what comes of them', () => {
  const outcomes = fuzzFirstBytes(1500, 1);
  const expected = [
    'tls',
    'http',
    'other',
    'invalid-hello',
    'invalid-proxy-header',
    'initial-data-too-large',
    'client-closed',
  ];
  assert.deepEqual(Object.keys(outcomes).sort(), expected.sort());
});
