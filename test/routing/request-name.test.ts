import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestName } from '../../src/routing/request-name.ts';

test('a host has one spelling, whatever its case, port and last dot', () => {
  for (const text of ['a.test', 'A.Test', 'a.test.', 'a.test:443', 'A.TEST.:8443']) {
    assert.equal(requestName(text), 'a.test', text);
  }
});

// P6
test('addresses have one spelling', () => {
  assert.equal(requestName('127.0.0.1:8443'), '127.0.0.1');
  assert.equal(requestName('[::1]:8443'), '::1');
  assert.equal(requestName('[::FFFF:10.0.0.1]'), '10.0.0.1');
  assert.equal(requestName('a1'), 'a1');
});

test('what names nothing is null', () => {
  for (const text of ['', ':443', '.']) assert.equal(requestName(text), null, text);
});
