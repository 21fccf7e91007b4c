import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const page = readFileSync('docs/logs.md', 'utf8');
const lines = [...page.matchAll(/^\| `([a-z-]+)` \| (debug|info|warn|error) \|/gm)];
const rows = new Map(lines.map(([, event, level]) => [event, level]));

test('what is documented is documented once', () => {
  const events = lines.map(([, event]) => event);
  const steps = [...page.slice(page.indexOf('## The trail')).matchAll(/^\| `([a-z-]+)`/gm)].map(
    ([, what]) => what,
  );
  assert.ok(steps.length > 15);
  for (const words of [events, steps])
    assert.deepEqual(
      words.filter((word, index) => words.indexOf(word) !== index),
      [],
    );
});

/** Each event that the source logs, with its levels. */
function logged(): Map<string, Set<string>> {
  const events = new Map<string, Set<string>>();
  for (const file of globSync('src/**/*.ts')) {
    const calls = readFileSync(file, 'utf8').matchAll(/\.(debug|info|warn|error)\(\s*'([a-z][a-z-]+)'/g);
    for (const [, level = '', event = ''] of calls) {
      events.set(event, (events.get(event) ?? new Set()).add(level));
    }
  }
  return events;
}

test('every event of the log is documented with its level, and nothing else is', () => {
  const events = logged();
  assert.ok(events.size > 30);
  assert.deepEqual(
    [...events.keys()].filter((event) => !rows.has(event)),
    [],
    'not in docs/logs.md',
  );
  assert.deepEqual(
    [...rows.keys()].filter((event) => !events.has(event ?? '')),
    [],
    'logged nowhere',
  );
  for (const [event, levels] of events) assert.ok(levels.has(rows.get(event) ?? ''), `the level of ${event}`);
});

test('every step of the trail is documented', () => {
  const steps = new Set(['client-ended', 'target-ended']);
  for (const file of globSync('src/**/*.ts')) {
    const notes = readFileSync(file, 'utf8').matchAll(/\.note\([^;]*?'([a-z][a-z-]+)'/g);
    for (const [, what = ''] of notes) steps.add(what);
  }
  const documented = page.slice(page.indexOf('## The trail'));
  const missing = [...steps].filter((what) => !documented.includes(`\`${what}\``));
  assert.deepEqual(missing, []);
});
