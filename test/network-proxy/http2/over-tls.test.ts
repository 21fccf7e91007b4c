import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { after, before, type TestContext, test } from 'node:test';
import type { Route } from '../../../src/config/schema.ts';
import { Stage, type StagedProxy } from '../../smart-proxy/stage.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { Workspace } from '../../support/workspace.ts';
import { serve, TlsClient } from '../tls/site.ts';
import { answerOf, Backend, Client, frame, getRequest, plainHead } from './stage.ts';

let workspace: Workspace;
let certificates: TestCertificate[];

before(async () => {
  workspace = new Workspace('http2-tls');
  certificates = [await selfSigned(workspace, 'a.test'), await selfSigned(workspace, 'b.test')];
});
after(() => workspace.end());

interface Staged {
  proxy: StagedProxy;
  /** The answers that the backend owes. */
  waiting: http2.ServerHttp2Stream[];
  backend: Backend<http2.Http2Server>;
}

/** `a.test` goes to a backend that answers at once, but for `/slow`; `b.test` wants client certificates. */
async function staged(t: TestContext): Promise<Staged> {
  const waiting: http2.ServerHttp2Stream[] = [];
  const backend = await Backend.http2((stream, headers) => {
    if (headers[':path'] === '/slow') return void waiting.push(stream);
    stream.respond({ ':status': 200 });
    stream.end('at once');
  });
  t.after(() => backend.close());
  const stage = scoped(t, new Stage());
  const [a, b] = certificates.map(({ cert, key }) => ({ cert, key }));
  const routes: Route[] = [
    {
      name: 'a',
      match: { ports: 0, address: '127.0.0.1', domains: 'a.test' },
      action: {
        type: 'forward',
        target: { host: '127.0.0.1', port: backend.port, protocol: 'http2' },
        tls: { mode: 'terminate', certificate: a! },
      },
    },
    {
      name: 'b',
      match: { ports: 0, address: '127.0.0.1', domains: 'b.test' },
      action: {
        type: 'respond',
        status: 200,
        body: 'secret',
        tls: { certificate: b!, clientAuth: { ca: b!.cert, required: true } },
      },
    },
  ];
  return { proxy: await serve(stage, routes), waiting, backend };
}

async function connect(t: TestContext, { proxy }: Staged): Promise<{ tls: TlsClient; client: Client }> {
  const tls = scoped(t, await TlsClient.connect(proxy.port, { servername: 'a.test', ALPNProtocols: ['h2'] }));
  const session = http2.connect('https://a.test', { createConnection: () => tls.socket });
  return { tls, client: new Client(session) };
}

/** A client that speaks TLS and writes frames by hand. */
async function connectByHand(t: TestContext, { proxy }: Staged): Promise<TlsClient> {
  const tls = scoped(t, await TlsClient.connect(proxy.port, { servername: 'a.test', ALPNProtocols: ['h2'] }));
  tls.socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  tls.socket.write(frame(4, 0, 0));
  return tls;
}

// F6
test('FIN without GOAWAY and without close_notify ends a TLS session, its sockets and its record', async (t) => {
  const staging = await staged(t);
  const tls = await connectByHand(t, staging);
  tls.socket.write(frame(1, 5, 1, plainHead(getRequest)));
  await eventually('the answer comes', () => tls.received.includes('at once'));
  tls.raw.end();
  await staging.proxy.endedAs('client-closed');
});

// F6
test('FIN of a TLS client while a request is under way lets go of the backend', async (t) => {
  const staging = await staged(t);
  const tls = await connectByHand(t, staging);
  const slow = [...getRequest.slice(0, 3), [':path', '/slow']] as const;
  tls.socket.write(frame(1, 5, 1, plainHead(slow)));
  await eventually('the backend is asked', () => staging.waiting.length === 1);
  tls.socket.end();
  await staging.proxy.endedAs('client-closed');
  await eventually('the backend knows', () => staging.waiting[0]?.destroyed === true);
});

test('a RST of a TLS client is told as such', async (t) => {
  const staging = await staged(t);
  const tls = await connectByHand(t, staging);
  await staging.proxy.inState('established');
  tls.raw.resetAndDestroy();
  await staging.proxy.endedAs('client-reset');
});

// F1
test('a flood over TLS ends its own connection', async (t) => {
  const staging = await staged(t);
  const tls = await connectByHand(t, staging);
  const reset = (i: number) =>
    Buffer.concat([frame(1, 5, i, plainHead(getRequest)), frame(3, 0, i, Buffer.from([0, 0, 0, 8]))]);
  tls.socket.write(Buffer.concat(Array.from({ length: 2000 }, (_, i) => reset(1 + 2 * i))));
  await staging.proxy.endedAs('protocol-abuse');
  await eventually('the client is closed', () => tls.closed);
});

test('a stop waits for the requests of a TLS session, and closes idle ones at once', async (t) => {
  const staging = await staged(t);
  const busy = await connect(t, staging);
  const idle = await connect(t, staging);
  assert.equal((await idle.client.request()).body, 'at once');
  const asked = busy.client.request({ ':path': '/slow' });
  await eventually('the backend is asked', () => staging.waiting.length === 1);
  const stopped = staging.proxy.proxy.stop({ graceMs: 60_000 });
  await eventually('both are told', () => idle.client.goaway === 0 && busy.client.goaway === 0);
  await eventually('the idle one is closed', () => idle.client.closed);
  staging.waiting[0]?.respond({ ':status': 200 });
  staging.waiting[0]?.end('after all');
  assert.equal((await asked).body, 'after all');
  await stopped;
  assert.deepEqual(staging.proxy.reasons(), { shutdown: 2 });
});

test('a stop whose grace is over cuts what is left', async (t) => {
  const staging = await staged(t);
  const { client } = await connect(t, staging);
  const stream = client.session.request({ ':path': '/slow', ':authority': 'a.test' });
  stream.on('error', () => {});
  await eventually('the backend is asked', () => staging.waiting.length === 1);
  await staging.proxy.proxy.stop({ graceMs: 0 });
  await eventually('the client is closed', () => client.closed);
  assert.deepEqual(staging.proxy.reasons(), { shutdown: 1 });
});

// T8
test('a name of another trust domain is answered with 421 on this session', async (t) => {
  const staging = await staged(t);
  const { client } = await connect(t, staging);
  assert.equal((await client.request({ ':authority': 'b.test' })).status, 421);
  assert.equal((await client.request()).status, 200);
  await client.close();
  await staging.proxy.endedAs('client-closed');
});

test('an operator ends a session with everything on it', async (t) => {
  const staging = await staged(t);
  const { client } = await connect(t, staging);
  const stream = client.session.request({ ':path': '/slow', ':authority': 'a.test' });
  const cut = assert.rejects(answerOf(stream));
  await eventually('the backend is asked', () => staging.waiting.length === 1);
  const [{ id } = assert.fail()] = staging.proxy.live;
  assert.ok(staging.proxy.proxy.control.terminate(id));
  await cut;
  await staging.proxy.endedAs('operator');
  await eventually('the backend knows', () => staging.waiting[0]?.destroyed === true);
});

// M1
test('bytes are those on the wire, also with bodies, for sessions that end by FIN', async (t) => {
  const staging = await staged(t);
  const { tls, client } = await connect(t, staging);
  for (let i = 0; i < 20; i++) await client.request({ ':method': 'POST' }, Buffer.alloc(10_000, i));
  client.session.close();
  await once(tls.raw, 'close');
  const { bytes } = await staging.proxy.endedAs('client-closed');
  assert.deepEqual(bytes, { fromClient: tls.raw.bytesWritten, toClient: tls.raw.bytesRead });
});
