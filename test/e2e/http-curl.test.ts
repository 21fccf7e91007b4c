import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { it } from 'node:test';
import { RunningProxy, smartproxy } from '../support/command-line.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import {
  httpRoute,
  requestsOf,
  type Seen,
  siteRoute,
  startHttpProxy,
  startNodeServer,
  tellSeen,
} from '../support/http-fixture.ts';
import { startNginx } from '../support/nginx.ts';
import { freePort, Workspace } from '../support/workspace.ts';

const uploadBytes = 1_000_000_000;

/** A large file of bytes that do not repeat within a mebibyte, and its checksum. */
function writeUpload(workspace: Workspace): { file: string; sha256: string } {
  const file = workspace.path('upload');
  const hash = createHash('sha256');
  const descriptor = openSync(file, 'w');
  const pattern = randomBytes(1024 * 1024 + 13);
  for (let written = 0; written < uploadBytes; ) {
    const chunk = pattern.subarray(0, Math.min(pattern.length, uploadBytes - written));
    hash.update(chunk);
    written += writeSync(descriptor, chunk);
  }
  closeSync(descriptor);
  return { file, sha256: hash.digest('hex') };
}

it('curl asks on one connection, with HEAD too, and the backend is asked on one', async (t) => {
  if (!hasPrograms(t, 'curl')) return;
  const workspace = Workspace.of(t, 'curl');
  const backend = await startNodeServer(workspace, tellSeen);
  const fixture = await startHttpProxy(workspace, [httpRoute('site', backend)]);
  const url = `http://127.0.0.1:${fixture.portOf('site')}`;
  const output = await workspace.run(programPath('curl'), [
    ...['-sS', `${url}/one`, '--next', '-sS', '--head', `${url}/two`, '--next', '-sS', `${url}/three?x=1`],
  ]);
  assert.match(output, /"url":"\/one".*HTTP\/1\.1 200 OK\r\n[\s\S]*"url":"\/three\?x=1"/);
  assert.doesNotMatch(output, /"url":"\/two"/);

  const requests = await requestsOf(fixture, 3);
  assert.deepEqual(
    requests.map(({ method, path, status, reused, error }) => [method, path, status, reused, error]),
    [
      ['GET', '/one', 200, false, null],
      ['HEAD', '/two', 200, true, null],
      ['GET', '/three', 200, true, null],
    ],
  );
  const ending = await fixture.ending();
  assert.deepEqual([ending.termination?.reason, ending.viaNetworkProxy], ['client-closed', true]);
  assert.equal(fixture.proxy.getStatistics().networkProxy.requests, 3);
});

for (const [how, source] of [
  ['by length', ['-T', 'upload']],
  ['in chunks', ['-T', '-']],
] as const) {
  for (const scheme of ['http', 'https']) {
    // H5, M1
    it(`curl uploads 1 GB ${how} over ${scheme}, and not one byte differs`, async (t) => {
      if (!hasPrograms(t, 'curl')) return;
      const workspace = Workspace.of(t, 'upload');
      const backend = await startNodeServer(workspace, tellSeen);
      const route = scheme === 'http' ? httpRoute('a.test', backend) : siteRoute('a.test', backend);
      const fixture = await startHttpProxy(workspace, [route]);
      const { sha256 } = writeUpload(workspace);
      const port = fixture.portOf('a.test');
      const input = openSync(workspace.path('upload'), 'r');
      const curl = workspace.start(
        programPath('curl'),
        [
          ...[
            '-sSk',
            '--connect-to',
            `::127.0.0.1:${port}`,
            '--http1.1',
            ...source,
            `${scheme}://a.test/put`,
          ],
        ],
        { stdio: [input, 'pipe', 'pipe'] },
      );
      assert.equal(await curl.exited(), 0, curl.output);
      closeSync(input);
      const seen = JSON.parse(curl.output) as Seen;
      assert.deepEqual([seen.length, seen.sha256], [uploadBytes, sha256]);
      if (how === 'by length') assert.equal(seen.headers['content-length'], String(uploadBytes));
      else assert.equal(seen.headers['transfer-encoding'], 'chunked');
      assert.equal(seen.headers['x-forwarded-proto'], scheme);

      const [request] = await requestsOf(fixture, 1);
      assert.deepEqual([request?.status, request?.error], [200, null]);
      const ending = await fixture.ending();
      assert.equal(ending.termination?.reason, 'client-closed');
      assert.ok(ending.bytes.fromClient > uploadBytes);
    });
  }
}

// H5
it('the 100 of an Expect comes from the backend, and so does its refusal', async (t) => {
  if (!hasPrograms(t, 'nginx', 'curl')) return;
  const workspace = Workspace.of(t, 'expect');
  const accepting = await startNodeServer(workspace, tellSeen);
  const refusing = await startNginx(
    workspace,
    'client_max_body_size 1k; location / { proxy_pass http://127.0.0.1:1; }',
  );
  const fixture = await startHttpProxy(workspace, [
    httpRoute('accepts', accepting, {}, { path: '/accepts' }),
    httpRoute('refuses', refusing, {}, { path: '/refuses' }),
  ]);
  const file = workspace.write('body', 'x'.repeat(2_000_000));
  const send = (name: string) =>
    workspace.run(programPath('curl'), [
      ...['-sSv', '--expect100-timeout', '30', '-H', 'Expect: 100-continue', '-T', file],
      `http://127.0.0.1:${fixture.portOf(name)}/${name}`,
    ]);
  const accepted = await send('accepts');
  assert.match(accepted, /< HTTP\/1\.1 100 Continue[\s\S]*< HTTP\/1\.1 200 OK/);
  assert.match(accepted, /"length":2000000/);
  const refused = await send('refuses');
  assert.doesNotMatch(refused, /100 Continue/);
  assert.match(refused, /< HTTP\/1\.1 413 /);

  const requests = await requestsOf(fixture, 2);
  assert.deepEqual(
    requests.map(({ status, error }) => [status, error]),
    [
      [200, null],
      [413, null],
    ],
  );
  assert.ok(requests[1]!.bytes.fromClient < 10_000, 'the refused body was not sent');
  await fixture.nothingLeft();
});

it('a range of a file comes as the backend cut it', async (t) => {
  if (!hasPrograms(t, 'nginx', 'curl')) return;
  const workspace = Workspace.of(t, 'range');
  chmodSync(workspace.folder, 0o755); // nginx reads it as nobody
  workspace.write('site/file', Array.from({ length: 10_000 }, (_, index) => `${index}\n`).join(''));
  const backend = await startNginx(workspace, `location / { root ${workspace.path('site')}; }`);
  const fixture = await startHttpProxy(workspace, [httpRoute('site', backend)]);
  const url = `http://127.0.0.1:${fixture.portOf('site')}/file`;
  const whole = readFileSync(workspace.path('site', 'file'), 'latin1');
  const curl = (...args: string[]) => workspace.run(programPath('curl'), ['-sS', ...args, url]);
  assert.ok((await curl('-r', '100-30000')) === whole.slice(100, 30_001));
  assert.match(
    await curl('-i', '-r', '-5'),
    /^HTTP\/1\.1 206 [\s\S]*content-range: bytes 48885-48889\/48890\r\n/i,
  );
  assert.match(await curl('-i', '-r', '99999999-'), /^HTTP\/1\.1 416 /);
  const etag = workspace.path('etag');
  assert.match(await curl('-i', '-r', '-5', '--etag-save', etag), /^HTTP\/1\.1 206 /);
  assert.match(await curl('-i', '--etag-compare', etag), /^HTTP\/1\.1 304 /);

  assert.deepEqual(
    (await requestsOf(fixture, 5)).map(({ status }) => status),
    [206, 206, 416, 206, 304],
  );
  assert.deepEqual(await fixture.reasons(), Array(5).fill('client-closed'));
});

for (const [scheme, version] of [
  ['https', '2'],
  ['http', '1.1'],
] as const) {
  it(`one line of the command line serves ${scheme}, and the local authority is what curl trusts`, async (t) => {
    if (!hasPrograms(t, 'curl')) return;
    const workspace = Workspace.of(t, 'one-liner');
    const environment = { STATE_DIRECTORY: workspace.path('state') };
    const backend = await startNodeServer(workspace, tellSeen);
    const port = await freePort();
    const from = `${scheme}://app.localhost:${port}`;
    const proxy = new RunningProxy(
      workspace,
      ['run', '--no-admin', '--from', from, '--to', `http://127.0.0.1:${backend}`],
      environment,
    );
    await proxy.logs('ready');
    const told = await smartproxy(workspace, ['trust', '--json'], environment);
    const { certificateFile } = JSON.parse(told.out) as { certificateFile: string };
    const options = ['-sS', '--cacert', certificateFile, '--resolve', `app.localhost:${port}:127.0.0.1`];
    const out = await workspace.run('curl', [...options, '-w', ' %{http_version}', `${from}/hello?x=1`]);
    const [seen, spoken] = [JSON.parse(out.slice(0, out.lastIndexOf(' '))) as Seen, out.split(' ').at(-1)];
    assert.equal(spoken, version);
    assert.equal(seen.url, '/hello?x=1');
    assert.equal(seen.headers['x-forwarded-proto'], scheme);
    proxy.signal('SIGTERM');
    assert.equal(await proxy.program.exited(), 0);
  });
}
