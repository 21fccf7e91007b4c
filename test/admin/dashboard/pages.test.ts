import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Certificate, ConnectionRecord, Route } from '../../../src/admin/dashboard/admin-api/answers.ts';
import { TokenStore } from '../../../src/admin/dashboard/admin-api/token-store.ts';
import { lifeOf } from '../../../src/admin/dashboard/certificates/validity.ts';
import { isKnownStep, stepsOf } from '../../../src/admin/dashboard/connection/trail.ts';
import { groupEndings } from '../../../src/admin/dashboard/endings/ending-groups.ts';
import { Palette } from '../../../src/admin/dashboard/figures/palette.ts';
import { placeLink, readPlace } from '../../../src/admin/dashboard/parts/place.ts';
import { actionWords, matchWords, targetPlace } from '../../../src/admin/dashboard/routes/describe-route.ts';
import { endedRow } from '../live/test-source.ts';

describe('the timeline of a connection', () => {
  const record = {
    events: [
      { atMs: 0, what: 'accepted' },
      { atMs: 1, what: 'hello', serverName: null, ech: 'outer' },
      { atMs: 2, what: 'dialing', host: '2001:db8::1', port: 80 },
      { atMs: 3, what: 'dial-failed', reason: 'connect-refused', error: 'nobody there' },
      { atMs: 4, what: 'something-new', count: 3, list: ['a'], empty: '' },
      { atMs: 5, what: 'ending', reason: 'connect-refused' },
    ],
    termination: {
      reason: 'connect-refused',
      initiator: 'target',
      error: { code: null, message: 'nobody there' },
    },
  } as unknown as ConnectionRecord;

  it('stands each step on the side whose doing it is, and shows what it does not know by its name', () => {
    assert.deepEqual(
      stepsOf(record).map(({ side, title, details, tone }) => [side, title, details.join('; '), tone]),
      [
        ['client', 'Connected', '', 'plain'],
        ['client', 'ClientHello read', 'without a name; with Encrypted Client Hello', 'plain'],
        ['target', 'Dialing', '[2001:db8::1]:80', 'plain'],
        ['target', 'Dial failed', 'error nobody there', 'bad'],
        ['proxy', 'something-new', 'count 3; list ["a"]', 'plain'],
        ['target', 'Ended: connect-refused', 'nobody there', 'bad'],
      ],
    );
  });
});

it('every step that is documented has words in the timeline', () => {
  const page = readFileSync('docs/logs.md', 'utf8').split('## The trail')[1] ?? '';
  const steps = [...page.matchAll(/^\| (`.*?) \|/gm)].flatMap(
    ([, names = '']) => names.match(/[a-z-]+/g) ?? [],
  );
  assert.ok(steps.length > 10);
  assert.deepEqual(
    steps.filter((what) => !isKnownStep(what)),
    [],
  );
});

describe('groups of endings', () => {
  it('are by reason and phase, the largest first, with the newest first in each', () => {
    const groups = groupEndings([
      endedRow('a'),
      endedRow('b', { phase: 'dialing' }),
      endedRow('c', { route: null }),
      endedRow('d', { route: null }),
      endedRow('e', { reason: 'blocked', initiator: 'proxy', phase: 'routing' }),
    ]);
    assert.deepEqual(
      groups.map(({ reason, phase, endings }) => [reason, phase, endings.map(({ id }) => id).join('')]),
      [
        ['client-closed', 'established', 'dca'],
        ['blocked', 'routing', 'e'],
        ['client-closed', 'dialing', 'b'],
      ],
    );
    assert.deepEqual(groups[0]?.routes, [
      [null, 2],
      ['web', 1],
    ]);
  });
});

describe('a route in words', () => {
  const route = {
    match: {
      ...{ ports: [], address: null, domains: ['a.test'], path: ['/api/*'], methods: ['GET'] },
      ...{ headers: { 'x-a': 'b' }, clientIp: ['10.0.0.0/8'], protocol: 'http' },
    },
    listeners: [{ address: '127.0.0.1', port: 8080 }],
    action: { type: 'redirect', to: 'https://{host}', status: 308 },
  } as unknown as Route;

  it('says what it takes and what it does', () => {
    assert.equal(matchWords(route).join(' '), 'http 127.0.0.1:8080 a.test /api/* GET x-a: b from 10.0.0.0/8');
    assert.equal(actionWords(route), 'redirects to https://{host} (308)');
    assert.equal(targetPlace({ host: '::1', port: 80, socket: null, weight: 1 }), '[::1]:80');
    assert.equal(targetPlace({ host: 'a', port: 'preserve', socket: null, weight: 1 }), 'a:preserve');
    assert.equal(targetPlace({ host: null, port: null, socket: '/run/a.sock', weight: 1 }), '/run/a.sock');
  });
});

describe('the life of a certificate', () => {
  const day = 86_400_000;
  const certificate = (from: number | null, to: number | null, ordering = false): Certificate =>
    ({
      validFrom: from === null ? null : new Date(from * day).toISOString(),
      validTo: to === null ? null : new Date(to * day).toISOString(),
      ordering,
    }) as Certificate;

  it('is good, nearly over, over, not begun, or not there', () => {
    const now = 10 * day;
    const told = (from: number | null, to: number | null, ordering = false): string => {
      const { tone, text } = lifeOf(certificate(from, to, ordering), now);
      return `${tone}: ${text}`;
    };
    assert.equal(told(0, 90), 'good: 80 d left');
    assert.equal(told(0, 12), 'warning: 2 d left');
    assert.equal(told(0, 12, true), 'warning: 2 d left, the next is on order');
    assert.equal(told(0, 9), 'bad: expired 1 d ago');
    assert.equal(told(11, 90), 'bad: good in 1 d');
    assert.equal(told(null, null, true), 'warning: on order');
    assert.equal(told(null, null), 'bad: none');
  });
});

describe('small things of the pages', () => {
  it('places survive their links', () => {
    const link = placeLink(['connections', 'a/b c'], { route: 'x&y', state: '' });
    assert.equal(link, '#/connections/a%2Fb%20c?route=x%26y');
    const { path, query } = readPlace(link);
    assert.deepEqual([path, query.get('route'), query.get('state')], [['connections', 'a/b c'], 'x&y', null]);
    assert.deepEqual(readPlace('#/%zz').path, ['%zz']);
    assert.deepEqual(readPlace('').path, []);
  });

  it('a label keeps its colour', () => {
    const palette = new Palette();
    const first = palette.of('no-route');
    assert.equal(palette.of('client-closed'), '--series-1');
    assert.notEqual(palette.of('blocked'), first);
    assert.equal(palette.of('no-route'), first);
    assert.equal(palette.of('others'), '--series-other');
  });

  it('a token is kept until it is refused', () => {
    const kept = new Map<string, string>();
    const storage = {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    };
    const tokens = new TokenStore(storage);
    const heard: boolean[] = [];
    const end = tokens.subscribe(() => heard.push(tokens.needed));
    assert.deepEqual([tokens.token, tokens.needed, tokens.wrong], [null, false, false]);
    tokens.refused();
    assert.deepEqual([tokens.needed, tokens.wrong], [true, false], 'nobody has tried one yet');
    tokens.give('secret');
    assert.equal(new TokenStore(storage).token, 'secret');
    tokens.refused();
    assert.deepEqual([tokens.token, tokens.wrong], [null, true]);
    end();
    tokens.give('other');
    assert.deepEqual(heard, [true, false, true]);
  });
});
