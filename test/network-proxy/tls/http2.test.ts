import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { after, before, test } from 'node:test';
import type { Route } from '../../../src/config/schema.ts';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { Workspace } from '../../support/workspace.ts';
import { serve, site, TlsClient } from './site.ts';

let workspace: Workspace;
let certificate: TestCertificate;

before(async () => {
  workspace = new Workspace('tls-http2');
  certificate = await selfSigned(workspace, 'a.test');
});
after(() => workspace.end());

function pem(): { cert: string; key: string } {
  const { cert, key } = certificate;
  return { cert, key };
}

async function get(
  session: http2.ClientHttp2Session,
  path: string,
): Promise<{ status: unknown; body: string }> {
  const stream = session.request({ ':path': path, ':authority': 'a.test' });
  let body = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    body += text;
  });
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  if (!stream.closed) await once(stream, 'close');
  return { status: headers[':status'], body };
}

// M1
test('HTTP/2 is chosen by ALPN, over TLS; bytes are those on the wire', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, [site('a.test', { certificate: pem() })]);
  const client = await TlsClient.connect(proxy.port, { servername: 'a.test', ALPNProtocols: ['h2'] });
  assert.equal(client.socket.alpnProtocol, 'h2');
  const session = http2.connect('https://a.test', { createConnection: () => client.socket });
  const answers = await Promise.all(['/one', '/two', '/three'].map((path) => get(session, path)));
  for (const answer of answers) assert.deepEqual(answer, { status: 200, body: 'a.test says hello' });
  session.close();
  await eventually('the client is closed', () => client.closed);
  const { termination, bytes, events } = await proxy.ended();
  assert.equal(termination?.reason, 'client-closed');
  assert.equal(events.find(({ what }) => what === 'tls-established')?.alpn, 'h2');
  assert.deepEqual(bytes, { fromClient: client.raw.bytesWritten, toClient: client.raw.bytesRead });
});

test('HTTP/2 in clear text begins with its preface, and HTTP/1 goes on beside it', async (t) => {
  const stage = scoped(t, new Stage());
  const clear: Route = {
    name: 'clear',
    match: { ports: 0, address: '127.0.0.1', protocol: 'http' },
    action: { type: 'respond', status: 200, body: 'clear' },
  };
  const proxy = await serve(stage, [clear]);
  const session = http2.connect(`http://127.0.0.1:${proxy.port}`);
  assert.deepEqual(await get(session, '/'), { status: 200, body: 'clear' });
  const plain = stage.connect(proxy.port).send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await eventually('the answer comes', () => plain.text.endsWith('clear'));
  session.close();
  plain.end();
  await proxy.ended(2);
  assert.deepEqual(proxy.reasons(), { 'client-closed': 2 });
});
