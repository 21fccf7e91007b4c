import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { Certificate } from '../../src/certificates/certificate.ts';
import { CertificateFiles } from '../../src/certificates/certificate-files.ts';
import { type IssuedCertificate, LocalAuthority } from '../../src/certificates/local-authority.ts';
import { eventually } from '../support/eventually.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Workspace } from '../support/workspace.ts';

const intervalMs = 3000;
const authority = await LocalAuthority.create({ clock: new VirtualClock(), name: 'Test authority' });
const [first, second, third] = await Promise.all(['1', '2', '3'].map((n) => authority.issue([`n${n}.test`])));

class Rig {
  readonly clock = new VirtualClock();
  readonly log = new RecordingLog();
  readonly workspace: Workspace;
  readonly replaced: Certificate[] = [];
  readonly files = new CertificateFiles({
    clock: this.clock,
    log: this.log,
    onReplaced: (before) => this.replaced.push(before),
    pairsPerLook: 2,
  });

  constructor(context: TestContext) {
    this.workspace = Workspace.of(context, 'files');
  }

  write({ cert, key }: Partial<IssuedCertificate>): void {
    if (cert !== undefined) this.workspace.write('a.pem', cert);
    if (key !== undefined) this.workspace.write('a.key', key);
  }

  async add() {
    return (await this.files.add(this.workspace.path('a.pem'), this.workspace.path('a.key'))).file;
  }

  /** Looks at the files so many times. */
  async look(times = 2): Promise<void> {
    for (let time = 0; time < times; time++) {
      this.clock.advance(intervalMs);
      await eventually('the look ends', () => this.clock.pending === 1);
    }
  }

  end(): void {
    this.files.close();
    assert.equal(this.clock.pending, 0, 'no timer is left');
  }
}

// T11
test('files that change serve once they rest, and what they replace is told', async (t) => {
  const rig = new Rig(t);
  rig.write(first!);
  const file = await rig.add();
  const before = file.certificate;
  await rig.look();
  assert.equal(file.certificate, before);
  rig.write(second!);
  await rig.look(1);
  assert.equal(file.certificate, before, 'a file that has just changed may be half written');
  await rig.look(1);
  assert.deepEqual(file.certificate.names, ['n2.test']);
  assert.deepEqual(rig.replaced, [before]);
  assert.deepEqual(rig.log.events(), ['certificate-reloaded']);
  await rig.look();
  assert.equal(rig.replaced.length, 1);
  rig.end();
});

// T11
test('a new chain serves only with its key; until then the old pair does, and the log says why once', async (t) => {
  const rig = new Rig(t);
  rig.write(first!);
  const file = await rig.add();
  const before = file.certificate;
  rig.write({ cert: second!.cert });
  await rig.look(5);
  assert.equal(file.certificate, before);
  assert.match(file.problem ?? '', /a\.key is not the key of/);
  assert.deepEqual(rig.log.events(), ['certificate-reload-failed']);
  rig.write({ key: second!.key });
  await rig.look();
  assert.deepEqual(file.certificate.names, ['n2.test']);
  assert.equal(file.problem, null);
  rig.end();
});

test('files that vanish do not stop the service, and are taken up when they come back', async (t) => {
  const rig = new Rig(t);
  rig.write(first!);
  const file = await rig.add();
  rmSync(rig.workspace.path('a.pem'));
  await rig.look();
  assert.deepEqual(file.certificate.names, ['n1.test']);
  assert.match(file.problem ?? '', /does not exist/);
  rig.write({ cert: first!.cert });
  await rig.look();
  assert.equal(file.problem, null);
  rig.write(third!);
  await rig.look();
  assert.deepEqual(file.certificate.names, ['n3.test']);
  rig.end();
});

test('links that are turned are followed, as Certbot and Kubernetes turn them', async (t) => {
  const rig = new Rig(t);
  const { workspace } = rig;
  for (const [folder, { cert, key }] of [
    ['one', first!],
    ['two', second!],
  ] as const) {
    mkdirSync(workspace.path(folder));
    workspace.write(`${folder}/tls.crt`, cert);
    workspace.write(`${folder}/tls.key`, key);
  }
  symlinkSync('one', workspace.path('live'));
  const { file } = await rig.files.add(workspace.path('live/tls.crt'), workspace.path('live/tls.key'));
  symlinkSync('two', workspace.path('next'));
  renameSync(workspace.path('next'), workspace.path('live'));
  await rig.look();
  assert.deepEqual(file.certificate.names, ['n2.test']);
  rig.end();
});

test('a valid certificate is not given up for one that is not valid yet, until it is', async (t) => {
  const rig = new Rig(t);
  rig.write(first!);
  const file = await rig.add();
  const later = new VirtualClock();
  later.advance(10 * 86_400_000);
  const future = await LocalAuthority.create({ clock: later, name: 'Future' });
  rig.write(await future.issue(['future.test']));
  await rig.look();
  assert.deepEqual(file.certificate.names, ['n1.test']);
  assert.match(file.problem ?? '', /goes on serving/);
  rig.clock.advance(10 * 86_400_000);
  await rig.look();
  assert.deepEqual(file.certificate.names, ['future.test']);
  rig.end();
});

test('of many pairs each has its turn', async (t) => {
  const rig = new Rig(t);
  const pairs = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, cert: `${name}.pem`, key: `${name}.key` }));
  const write = ({ cert, key }: IssuedCertificate) => {
    for (const pair of pairs) {
      rig.workspace.write(pair.cert, cert);
      rig.workspace.write(pair.key, key);
    }
  };
  write(first!);
  for (const { cert, key } of pairs) await rig.files.add(rig.workspace.path(cert), rig.workspace.path(key));
  write(second!);
  await rig.look(6);
  const serving = rig.files.list().map(({ certificate }) => certificate.names[0]);
  assert.deepEqual(serving, Array(5).fill('n2.test'));
  rig.end();
});

test('the same pair is loaded once', async (t) => {
  const rig = new Rig(t);
  rig.write(first!);
  assert.equal(await rig.add(), await rig.add());
  assert.equal(rig.files.list().length, 1);
  rig.end();
});

test('after closing nothing changes any more', async (t) => {
  const rig = new Rig(t);
  rig.write(first!);
  const file = await rig.add();
  rig.write(second!);
  await rig.look(1);
  rig.clock.advance(intervalMs);
  rig.end();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(file.certificate.names, ['n1.test']);
});
