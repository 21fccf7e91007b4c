import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  coversPath,
  cutPrefix,
  isPlainPath,
  normalizePath,
  normalizePathPattern,
  readingsOf,
} from '../../src/config/request-path.ts';

test('a plain path has no reading but itself', () => {
  for (const path of ['/', '/a', '/a/b/', '/.well-known/x', '/...', '/a.b', '/~a', '/@a', '*', '']) {
    assert.equal(isPlainPath(path), true, path);
  }
  for (const path of [
    '//',
    '/a//b',
    '/.',
    '/..',
    '/a/./b',
    '/a/..',
    '/%61',
    '/a;b',
    '/a\\b',
    '/a?b',
    '/a#b',
  ]) {
    assert.equal(isPlainPath(path), false, path);
  }
  fc.assert(
    fc.property(fc.stringMatching(/^(?:\/[a-z.~%2F;\\]{0,4}){1,4}$/), (path) => {
      if (isPlainPath(path)) assert.deepEqual(readingsOf(path), [path]);
    }),
  );
});

test('a path has a reading for each way in which servers are known to take it', () => {
  const cases: [string, string[]][] = [
    ['/%61%2d%5F%7e', ['/a-_~']],
    ['/caf%c3%a9', ['/caf%C3%A9']],
    ['/a/../b', ['/a/../b', '/b']],
    ['/a/%2E%2e/b', ['/a/../b', '/b']],
    ['/../..', ['/../..', '/']],
    ['/a/b/.', ['/a/b/.', '/a/b/']],
    ['//a/b', ['//a/b', '/b', '/a/b']],
    ['/a%2fb', ['/a%2Fb', '/a/b']],
    ['/a\\b', ['/a\\b', '/a/b']],
    ['/a;x=1/b', ['/a;x=1/b', '/a/b']],
    ['/x?/../y', ['/x']],
    ['', ['/']],
  ];
  for (const [path, readings] of cases) {
    assert.deepEqual(new Set(readingsOf(path)), new Set(readings), path);
  }
});

test('a path with more readings than anybody means has none', () => {
  assert.equal(readingsOf('//a;b/%2F\\../x//..'), null);
});

test('paths of the configuration have one spelling, and none where servers would differ', () => {
  assert.equal(normalizePath('/%61/b%c3'), '/a/b%C3');
  assert.equal(normalizePathPattern('/%61/*'), '/a/*');
  assert.equal(normalizePathPattern('/*'), '/*');
  for (const path of [
    '',
    'a',
    '/a*',
    '/a/*/b',
    '/*/',
    '/a?b',
    '/a b',
    '/a//b',
    '/a/../b',
    '/a;b',
    '/a%2Fb',
  ]) {
    assert.equal(normalizePathPattern(path), undefined, path);
  }
});

test('a prefix covers what is below it, and itself without the slash', () => {
  for (const inner of ['/a', '/a/', '/a/b', '/a/b/*', '/a/*'])
    assert.equal(coversPath('/a/*', inner), true, inner);
  for (const inner of ['/', '/ab', '/*', '/b/a']) assert.equal(coversPath('/a/*', inner), false, inner);
  assert.equal(coversPath('/a', '/a/*'), false);
});

test('a prefix is cut where a segment ends, whatever its spelling, and one slash is left', () => {
  const cases: [string, string][] = [
    ['/api', '/'],
    ['/api/', '/'],
    ['/api?x=1', '/?x=1'],
    ['/api/v1/x?y', '/v1/x?y'],
    ['/%61pi/%2F', '/%2F'],
    ['/api//evil.test/x', '/evil.test/x'],
    ['/apix', '/apix'],
    ['/x/api', '/x/api'],
    ['*', '*'],
  ];
  for (const [target, rest] of cases) assert.equal(cutPrefix(target, '/api'), rest, target);
  assert.equal(cutPrefix('/a/b/c', '/a/b'), '/c');
  assert.equal(cutPrefix('/a/c', '/a/b'), '/a/c');
});
