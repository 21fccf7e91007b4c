import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { execPath } from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { authorityFiles, openLocalAuthority } from '../../src/certificates/authority-folder.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Workspace } from '../support/workspace.ts';

const open = (stateDirectory: string, log = silentLogger) =>
  openLocalAuthority({ stateDirectory, clock: systemClock, log });
const modeOf = (path: string) => statSync(path).mode & 0o777;

test('the authority is made once, with a key that only its owner may read', async (t) => {
  const workspace = Workspace.of(t, 'authority');
  const [state, log] = [workspace.path('state', 'deep'), new RecordingLog()];
  const files = authorityFiles(state);
  const made = await open(state, log);
  assert.match(made.name, /^SmartProxy local authority \(.+, \d{4}-\d\d-\d\d\)$/);
  assert.equal(modeOf(files.key), 0o600);
  assert.equal(modeOf(files.certificate), 0o644);
  assert.equal(modeOf(state), 0o700);
  assert.deepEqual(readdirSync(state), ['local-authority']);
  const again = await open(state, log);
  assert.equal(again.certificate, made.certificate);
  assert.equal(again.key, made.key);
  assert.deepEqual(log.events(), ['local-authority-made']);
});

test('callers that start at once get the same authority, and no draft is left', async (t) => {
  const state = Workspace.of(t, 'authority').path('state');
  const all = await Promise.all(Array.from({ length: 8 }, () => open(state)));
  assert.equal(new Set(all.map(({ certificate }) => certificate)).size, 1);
  assert.deepEqual(readdirSync(state), ['local-authority']);
});

test('processes that start at once get the same authority', async (t) => {
  const workspace = Workspace.of(t, 'authority');
  const source = (path: string) =>
    JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));
  const script = workspace.write(
    'open.mts',
    `import { systemClock } from ${source('base/clock.ts')};
     import { silentLogger } from ${source('base/logger.ts')};
     import { openLocalAuthority } from ${source('certificates/authority-folder.ts')};
     const options = { stateDirectory: process.argv[2]!, clock: systemClock, log: silentLogger };
     console.log((await openLocalAuthority(options)).fingerprint);`,
  );
  const runs = Array.from({ length: 3 }, () => workspace.run(execPath, [script, workspace.path('state')]));
  const fingerprints = (await Promise.all(runs)).map(
    (output) => /(?:[0-9A-F]{2}:){31}[0-9A-F]{2}/.exec(output)?.[0],
  );
  assert.notEqual(fingerprints[0], undefined);
  assert.equal(new Set(fingerprints).size, 1);
  assert.deepEqual(readdirSync(workspace.path('state')), ['local-authority']);
});

test('a damaged folder is an error that says what to do, and is left as it was', async (t) => {
  const workspace = Workspace.of(t, 'authority');
  const state = workspace.path('state');
  const files = authorityFiles(state);
  await open(state);
  const key = readFileSync(files.key, 'utf8');
  const rejects = (message: RegExp) =>
    assert.rejects(open(state), { code: 'local-authority-unusable', source: 'config', message });
  workspace.write('state/local-authority/authority.key', key.slice(0, 60));
  await rejects(/authority\.key has no private key.*restore .*, or delete it/);
  const stranger = await LocalAuthority.create({ clock: systemClock, name: 'Stranger' });
  workspace.write('state/local-authority/authority.key', stranger.key);
  await rejects(/authority\.key is not the key of/);
  assert.equal(readFileSync(files.key, 'utf8'), stranger.key);
  rmSync(files.key);
  await rejects(/authority\.key: it does not exist/);
  const leaf = await stranger.issue(['a.test']);
  workspace.write('state/local-authority/authority.pem', leaf.cert);
  workspace.write('state/local-authority/authority.key', leaf.key);
  await rejects(/is not an authority that SmartProxy made/);
});

test('a state folder that cannot be used is an error', async (t) => {
  const workspace = Workspace.of(t, 'authority');
  workspace.write('state', 'a file in the way');
  await assert.rejects(open(workspace.path('state')), {
    code: 'local-authority-unusable',
    message: /ENOTDIR.* \(let this user write there, or write another stateDirectory\)$/,
  });
  mkdirSync(workspace.path('taken', 'local-authority', 'something'), { recursive: true });
  await assert.rejects(open(workspace.path('taken')), {
    code: 'local-authority-unusable',
    message: /it has other files in it/,
  });
  assert.deepEqual(readdirSync(workspace.path('taken')), ['local-authority']);
});

test('an empty folder is filled', async (t) => {
  const state = Workspace.of(t, 'authority').path('state');
  mkdirSync(authorityFiles(state).folder, { recursive: true });
  await open(state);
  assert.ok(existsSync(authorityFiles(state).key));
});

test('an authority that expires soon, or a key that others may read, is told; an expired one is refused', async (t) => {
  const state = Workspace.of(t, 'authority').path('state');
  const [clock, log] = [new VirtualClock(), new RecordingLog()];
  const openThen = () => openLocalAuthority({ stateDirectory: state, clock, log });
  const { validToMs } = await openThen();
  chmodSync(authorityFiles(state).key, 0o640);
  clock.advance(validToMs - clock.wallTime() - 29 * 86_400_000);
  await openThen();
  assert.deepEqual(log.events(), [
    'local-authority-made',
    'local-authority-expires',
    'local-authority-exposed',
  ]);
  clock.advance(29 * 86_400_000);
  await assert.rejects(openThen(), {
    code: 'local-authority-expired',
    message: /delete .*local-authority: then/,
  });
});
