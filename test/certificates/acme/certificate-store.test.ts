import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import {
  type CertificateStore,
  certificateId,
} from '../../../src/certificates/acme/store/certificate-store.ts';
import { FolderStore } from '../../../src/certificates/acme/store/folder-store.ts';
import { MemoryStore } from '../../../src/certificates/acme/store/memory-store.ts';
import type { PendingOrder, Renewal } from '../../../src/certificates/acme/store/stored-documents.ts';
import { LocalAuthority } from '../../../src/certificates/local-authority.ts';
import { eventually } from '../../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { Workspace } from '../../support/workspace.ts';

const before = holdings();
const authority = await LocalAuthority.create({ clock: systemClock, name: 'Somebody' });
const at = '2026-01-01T00:00:00.000Z';

async function certificate(name: string) {
  const { cert, key } = await authority.issue([name]);
  return { cert, key, meta: { names: [name], authority: null, profile: null, issuedAt: at } };
}

const renewal: Renewal = {
  ...{ at, version: null, renewAt: at, suggestion: null, askAgainAt: null },
  ...{ failures: 2, nextAttemptAt: at, way: 1, lastError: null, settings: 'x' },
};

const order: PendingOrder = {
  ...{ directory: 'https://ca.test/dir', url: 'https://ca.test/order/1', names: ['a.test'], startedAt: at },
  ...{ key: 'a key', proofs: [{ name: 'a.test', type: 'http-01', token: 't', keyAuthorization: 't.k' }] },
};

const stores: Record<string, (workspace: Workspace) => CertificateStore> = {
  folder: (workspace) => new FolderStore(workspace.path('certificates'), systemClock),
  memory: () => new MemoryStore(),
};

for (const [kind, create] of Object.entries(stores)) {
  test(`${kind}: what is kept is what is read, and the newest certificate counts`, async (t) => {
    const store = create(Workspace.of(t, 'store'));
    assert.deepEqual(
      [await store.ids(), await store.version('a.test'), await store.read('a.test')],
      [[], null, null],
    );
    const first = await store.save('a.test', await certificate('a.test'));
    const newest = await certificate('a.test');
    const second = await store.save('a.test', newest);
    assert.notEqual(first, second);
    assert.deepEqual(await store.read('a.test'), { ...newest, version: second });
    assert.deepEqual([await store.version('a.test'), await store.ids()], [second, ['a.test']]);
  });

  test(`${kind}: orders, renewals and accounts are kept, changed and forgotten`, async (t) => {
    const store = create(Workspace.of(t, 'store'));
    const account = {
      directory: order.directory,
      url: 'https://ca.test/a/1',
      contact: [],
      createdAt: at,
      key: 'k',
    };
    assert.deepEqual(
      [await store.readRenewal('a.test'), await store.readOrder('a.test'), await store.readAccount('x')],
      [null, null, null],
    );
    await store.writeRenewal('a.test', renewal);
    await store.beginOrder('a.test', { ...order, url: '', proofs: [] });
    await store.updateOrder('a.test', order);
    await store.writeAccount(account);
    assert.deepEqual(await store.readRenewal('a.test'), renewal);
    assert.deepEqual(await store.readOrder('a.test'), order);
    assert.deepEqual(await store.readAccount(order.directory), account);
    assert.equal(await store.readAccount('https://other.test/dir'), null);
    await store.removeOrder('a.test');
    assert.equal(await store.readOrder('a.test'), null);
  });

  test(`${kind}: a lock has one owner, until it gives it back`, async (t) => {
    const store = create(Workspace.of(t, 'store'));
    const locks = await Promise.all(Array.from({ length: 20 }, () => store.lock({ id: 'a.test' })));
    const held = locks.filter((lock) => lock !== null);
    assert.equal(held.length, 1);
    const others = [await store.lock({ id: 'b.test' }), await store.lock({ directory: order.directory })];
    for (const lock of others) await lock!.release();
    assert.equal(await store.lock({ id: 'a.test' }), null);
    await held[0]!.release();
    await held[0]!.release();
    const again = await store.lock({ id: 'a.test' });
    assert.equal(again?.lost, false);
    await again?.release();
  });
}

test('a wildcard has a folder of its own', () => {
  assert.equal(certificateId(['*.a.test', 'a.test']), 'wildcard_.a.test');
  assert.equal(certificateId(['a.test']), 'a.test');
});

test('other programs find PEM files, keys are nobody else’s, and a link leads to the newest', async (t) => {
  const workspace = Workspace.of(t, 'store');
  const store = new FolderStore(workspace.path('certificates'), systemClock);
  const versions: string[] = [];
  for (let count = 0; count < 4; count++)
    versions.push(await store.save('a.test', await certificate('a.test')));
  const folder = workspace.path('certificates', 'names', 'a.test');
  const leaf = new X509Certificate(readFileSync(join(folder, 'current', 'certificate.pem')));
  assert.deepEqual(leaf.subjectAltName, 'DNS:a.test');
  assert.match(readFileSync(join(folder, 'current', 'key.pem'), 'utf8'), /BEGIN PRIVATE KEY/);
  assert.equal(statSync(join(folder, 'current', 'key.pem')).mode & 0o777, 0o600);
  assert.deepEqual(JSON.parse(readFileSync(join(folder, 'current', 'meta.json'), 'utf8')).names, ['a.test']);
  // The one before it stays, for whoever reads it at this moment.
  assert.deepEqual(readdirSync(folder).sort(), ['current', ...versions.slice(2)].sort());
});

test('what a process that died left half-written is cleared up by the next that orders', async (t) => {
  const workspace = Workspace.of(t, 'store');
  const store = new FolderStore(workspace.path('certificates'), systemClock);
  await store.save('a.test', await certificate('a.test'));
  const folder = workspace.path('certificates', 'names', 'a.test');
  mkdirSync(join(folder, '2026-01-01T00-00-00Z-0000.draft-'));
  writeFileSync(join(folder, 'renewal.json.draft-1'), '{"half');
  writeFileSync(join(folder, 'renewal.json'), '{"half');
  assert.equal(await store.readRenewal('a.test'), null);
  await (await store.lock({ id: 'a.test' }))?.release();
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('draft')),
    [],
  );
  assert.ok((await store.read('a.test')) !== null);
});

test('the lock of a dead process of this machine is free at once, that of a stranger after a minute', async (t) => {
  const workspace = Workspace.of(t, 'store');
  const clock = new VirtualClock();
  const store = new FolderStore(workspace.path('certificates'), clock);
  const lock = await store.lock({ id: 'a.test' });
  await lock!.release();
  const file = workspace.path('certificates', 'names', 'a.test', 'lock.1');
  const owner = JSON.parse(readFileSync(file, 'utf8'));
  const expiresAt = new Date(clock.wallTime() + 60_000).toISOString();
  const held = { ...owner, released: false, expiresAt };
  writeFileSync(file, JSON.stringify({ ...held, started: '1' }));
  const second = await store.lock({ id: 'a.test' });
  await second!.release();
  const next = workspace.path('certificates', 'names', 'a.test', 'lock.2');
  writeFileSync(next, JSON.stringify({ ...held, place: 'another machine', started: '1' }));
  assert.equal(await store.lock({ id: 'a.test' }), null);
  clock.advance(60_000);
  const third = await store.lock({ id: 'a.test' });
  assert.ok(third !== null);
  await third.release();
  assert.deepEqual(readdirSync(workspace.path('certificates', 'names', 'a.test')), ['lock.3']);
});

test('a hold is renewed, and one that was taken over is noticed as lost', async (t) => {
  const workspace = Workspace.of(t, 'store');
  const clock = new VirtualClock();
  const store = new FolderStore(workspace.path('certificates'), clock);
  const lock = await store.lock({ id: 'a.test' });
  const folder = workspace.path('certificates', 'names', 'a.test');
  const expiry = () => JSON.parse(readFileSync(join(folder, 'lock.1'), 'utf8')).expiresAt;
  for (let moves = 0; moves < 3; moves++) {
    const until = expiry();
    clock.advance(20_000);
    await eventually('the hold is renewed', () => expiry() > until && clock.pending === 1);
  }
  assert.equal(await store.lock({ id: 'a.test' }), null);
  writeFileSync(
    join(folder, 'lock.2'),
    JSON.stringify({ released: false, expiresAt: '2030-01-01T00:00:00Z' }),
  );
  clock.advance(20_000);
  await eventually('the loss is noticed', () => lock!.lost);
  await lock!.release();
  assert.equal(JSON.parse(readFileSync(join(folder, 'lock.2'), 'utf8')).released, false);
  assert.equal(clock.pending, 0);
});

// C7
test('a folder that cannot be written is an error that says so, and leaves nothing', async (t) => {
  const workspace = Workspace.of(t, 'store');
  workspace.write('certificates/names', 'a file in the way');
  const store = new FolderStore(workspace.path('certificates'), systemClock);
  const unwritable = { code: 'certificate-store-unwritable', message: /certificates.*cannot be written/ };
  await assert.rejects(store.lock({ id: 'a.test' }), unwritable);
  await assert.rejects(store.save('a.test', await certificate('a.test')), unwritable);
  await assert.rejects(store.beginOrder('a.test', order), unwritable);
  assert.equal(await store.read('a.test'), null);
  assert.deepEqual(readdirSync(workspace.path('certificates')), ['names']);
});

test('a damaged certificate is an error that names its folder, and what is no name never comes near the disk', async (t) => {
  const workspace = Workspace.of(t, 'store');
  const store = new FolderStore(workspace.path('certificates'), systemClock);
  const version = await store.save('a.test', await certificate('a.test'));
  const meta = workspace.path('certificates', 'names', 'a.test', version, 'meta.json');
  chmodSync(meta, 0o600);
  writeFileSync(meta, 'nothing');
  await assert.rejects(store.read('a.test'), { code: 'certificate-store-unreadable', message: /is damaged/ });
  for (const id of ['../a', 'a/b', '', '.', 'a..b', 'A']) {
    await assert.rejects(async () => store.save(id, await certificate('a.test')), /is no name/);
  }
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
