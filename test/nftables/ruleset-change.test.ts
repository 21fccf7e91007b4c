import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { changeRuleset } from '../../src/nftables/ruleset-change.ts';
import { wholeScript } from '../../src/nftables/ruleset-script.ts';
import { rulesets, successiveRulesets } from '../fuzz/nftables/configurations.ts';
import { programPath } from '../support/debian.ts';
import { Namespaces } from '../support/namespaces.ts';
import { Workspace } from '../support/workspace.ts';

test('a ruleset is changed into any other, and then is what it would be if loaded whole', async (context) => {
  const workspace = Workspace.of(context, 'change');
  const namespaces = Namespaces.of(context, workspace);
  if (namespaces === undefined) return;
  const [nft, ...on] = [...namespaces.on(namespaces.proxy), programPath('nft')];
  const load = (text: string): void => {
    const { status, stderr } = spawnSync(nft, [...on, '-f', '-'], { input: text, encoding: 'utf8' });
    assert.equal(status, 0, `${stderr}\n${text}`);
  };
  const listed = (): string =>
    inOneOrder(namespaces.run(namespaces.proxy, programPath('nft'), 'list', 'ruleset'));
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const [first, ...rest] = successiveRulesets(3, seed);
      if (first === undefined) return;
      load(wholeScript(first).text);
      let before = first;
      for (const after of rest) {
        const { change, sweep } = changeRuleset(before, after);
        load(change.text);
        load(sweep.text);
        before = after;
      }
      const changed = listed();
      load(wholeScript(before).text);
      assert.equal(changed, listed());
    }),
    { numRuns: 12, endOnFailure: true },
  );
});

test('what is the same takes no change', () => {
  fc.assert(
    fc.property(rulesets, (ruleset) => assert.equal(changeRuleset(ruleset, ruleset).change.empty, true)),
    {
      numRuns: 30,
    },
  );
});

/** nft lists in the order of making; elements share lines. */
function inOneOrder(text: string): string {
  return text
    .replace(/table inet \S+ \{\n\tcomment "[^"]+"\n/, '')
    .split(/\n\t\}\n/)
    .map((block) =>
      block.split(/[\n,]/).map((line) => line.replace('elements = {', '').replace(/\}$/, '').trim()),
    )
    .map((lines) =>
      lines
        .filter((line) => line !== '')
        .sort()
        .join('\n'),
    )
    .sort()
    .join('\n\n');
}
