import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { coveredIds, expandIds, parseScenarios } from '../../scripts/scenarios.ts';

describe('the list of scenarios', () => {
  it('is read with ids and titles', () => {
    assert.deepEqual(parseScenarios('# x\n- L1: a b\ntext\n- T12: c\n'), [
      { id: 'L1', title: 'a b' },
      { id: 'T12', title: 'c' },
    ]);
  });

  it('counts comments that stand on a test', () => {
    const source = [
      '  // L3',
      "  it('a', () => {});",
      '// T1, T2',
      '// and a word about why',
      "test('b', () => {});",
      '// S1: exactly',
      "describe('c', () => {});",
    ].join('\n');
    assert.deepEqual([...coveredIds(source)], ['L3', 'T1', 'T2', 'S1']);
  });

  it('counts no comment elsewhere', () => {
    const source = ['// L3', 'const a = 1;', "it('a', () => {});", '// see L4', "it('b', () => {});"].join(
      '\n',
    );
    assert.deepEqual([...coveredIds(source)], []);
  });

  it('spells ranges out', () => {
    assert.deepEqual(expandIds('L1-L3,T9'), ['L1', 'L2', 'L3', 'T9']);
  });
});
