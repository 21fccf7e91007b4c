import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isEmpty, matcher, noFilter, readFilter } from '../../../src/admin/dashboard/connections/filter.ts';
import { firstOrder, orderBy, sorted } from '../../../src/admin/dashboard/connections/order.ts';
import { ShownConnection } from '../../../src/admin/dashboard/live/shown-connection.ts';
import { row } from '../live/test-source.ts';

const rows = [
  row('id-1', { client: '192.0.2.10', clientPort: 5, route: 'web', name: 'a.test', target: '10.0.0.1:80' }),
  row('id-2', {
    client: '192.0.2.1',
    state: 'dialing',
    route: 'db',
    name: null,
    target: '[2001:db8::7]:5432',
  }),
  row('id-3', { client: '2001:db8::9', route: null, name: 'shop.a.test', target: null }),
];

describe('the filter of connections', () => {
  const found = (filter: Partial<typeof noFilter>): string[] =>
    rows.filter(matcher({ ...noFilter, ...filter })).map(({ id }) => id);

  it('takes route and state exactly, names by any part, ids and addresses from their beginning', () => {
    assert.deepEqual(found({}), ['id-1', 'id-2', 'id-3']);
    assert.deepEqual(found({ route: 'web' }), ['id-1']);
    assert.deepEqual(found({ route: 'we' }), []);
    assert.deepEqual(found({ state: 'dialing' }), ['id-2']);
    assert.deepEqual(found({ name: ' A.Test' }), ['id-1', 'id-3']);
    assert.deepEqual(found({ name: 'id-2' }), ['id-2']);
    assert.deepEqual(found({ address: '192.0.2.1' }), ['id-1', 'id-2']);
    assert.deepEqual(found({ address: '192.0.2.10:5' }), ['id-1']);
    assert.deepEqual(found({ address: '10.0.0.1:80' }), ['id-1']);
    assert.deepEqual(found({ address: '2001:DB8::' }), ['id-2', 'id-3']);
    assert.deepEqual(found({ name: 'a.test', route: 'web', state: 'closing' }), []);
  });

  it('comes from the address of the page', () => {
    const filter = readFilter(new URLSearchParams('route=web&name=a%20b'));
    assert.deepEqual(filter, { ...noFilter, route: 'web', name: 'a b' });
    assert.deepEqual([isEmpty(filter), isEmpty(noFilter)], [false, true]);
  });
});

describe('the order of connections', () => {
  const shown = rows.map(
    (entry, index) => new ShownConnection({ ...entry, startedAt: index * 10, toClient: index }),
  );
  const ids = (column: Parameters<typeof orderBy>[0], descending: boolean, tick = 0): string =>
    sorted(shown, { column, descending }, tick)
      .map(({ row: { id } }) => id.slice(3))
      .join('');

  it('begins with the newest', () => {
    assert.equal(ids(firstOrder.column, firstOrder.descending), '321');
  });

  it('sorts by each column, in both directions, and equal ones by id', () => {
    assert.equal(ids('age', true), '123');
    assert.equal(ids('toClient', true), '321');
    assert.equal(ids('fromClient', true), '123', 'all the same');
    assert.equal(ids('client', false), '213');
    assert.equal(ids('route', false), '321', 'none is before all');
    assert.equal(ids('state', true), '132');
  });

  it('sorts by what moves now', () => {
    shown[1]?.move(500, 0, 7, 1);
    assert.equal(ids('rate', true, 7), '213');
    assert.equal(ids('rate', true, 8), '123', 'it has stopped');
  });

  it('begins with the largest numbers, or A, and turns when it is chosen again', () => {
    assert.deepEqual(orderBy('rate', firstOrder), { column: 'rate', descending: true });
    assert.deepEqual(orderBy('client', firstOrder), { column: 'client', descending: false });
    assert.deepEqual(orderBy('age', firstOrder), { column: 'age', descending: true });
  });
});
