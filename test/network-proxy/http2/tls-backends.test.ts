import assert from 'node:assert/strict';
import http2 from 'node:http2';
import https from 'node:https';
import { after, before, test } from 'node:test';
import type { Server } from 'node:tls';
import { offeredProtocols } from '../../../src/network-proxy/http2/create-pool.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { Workspace } from '../../support/workspace.ts';
import { forward, routeTo, target } from '../stage.ts';
import { anySecure, Backend, Http2Stage } from './stage.ts';

const workspace = new Workspace('http2-backends');
let certificate: TestCertificate;
before(async () => {
  certificate = await selfSigned(workspace, 'backend.test');
});
after(() => workspace.end());

const targetTls = { ca: null, certFile: null, keyFile: null, serverName: null, verify: false };

function open(port: number, protocol: 'auto' | 'http1' | 'http2'): Promise<Http2Stage> {
  const route = routeTo(forward([target(port, { protocol, tls: targetTls })]));
  return Http2Stage.open({
    route,
    secure: anySecure((spoken) => offeredProtocols({ protocol: spoken } as never)),
  });
}

/** Tells by what it was asked. */
async function backendOf(kind: 'http1' | 'http2' | 'both', port = 0): Promise<Backend<Server>> {
  const { cert, key } = certificate;
  const server =
    kind === 'http1'
      ? https.createServer({ cert, key }, (request, response) => void response.end(request.httpVersion))
      : http2.createSecureServer({ cert, key, allowHTTP1: kind === 'both' }, (request, response) => {
          response.end(request.httpVersion);
        });
  return new Backend<Server>(server).listen(port);
}

for (const [kind, protocol, spoken] of [
  ['both', 'auto', '2.0'],
  ['both', 'http1', '1.1'],
  ['both', 'http2', '2.0'],
  ['http1', 'auto', '1.1'],
  ['http2', 'auto', '2.0'],
] as const) {
  test(`a backend that has ${kind} is spoken to by ${spoken} where the target says ${protocol}`, async () => {
    const backend = await backendOf(kind);
    const stage = await open(backend.port, protocol);
    const client = stage.connect();
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.request()));
    for (const { status, body } of answers) assert.deepEqual([status, body], [200, spoken]);
    if (spoken === '2.0') assert.equal(backend.opened, 1, 'one session for all');
    await client.close();
    await stage.close();
    await backend.close();
  });
}

test('a backend without HTTP/2 is a 502 where the target says http2', async () => {
  const backend = await backendOf('http1');
  const stage = await open(backend.port, 'http2');
  const client = stage.connect();
  assert.equal((await client.request()).status, 502);
  assert.match(stage.core.entries[0]?.error ?? '', /invalid-response|target-tls-failed/);
  await client.close();
  await stage.close();
  await backend.close();
});

test('what a backend speaks is learnt again once no connection to it is left', async () => {
  const first = await backendOf('http1');
  const stage = await open(first.port, 'auto');
  const client = stage.connect();
  assert.equal((await client.request()).body, '1.1');
  const { port } = first;
  await first.close();
  const again = await backendOf('both', port);
  assert.equal((await client.request()).body, '2.0');
  await client.close();
  await stage.close();
  await again.close();
});
