import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import type { Route } from '../../../src/config/schema.ts';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { scoped } from '../../support/scoped.ts';
import { Workspace } from '../../support/workspace.ts';
import { serve, TlsClient } from './site.ts';

let workspace: Workspace;
let front: TestCertificate;
let behind: TestCertificate;
let member: TestCertificate;

before(async () => {
  workspace = new Workspace('tls-backends');
  [front, behind, member] = await Promise.all([
    selfSigned(workspace, 'a.test'),
    selfSigned(workspace, 'backend.test'),
    selfSigned(workspace, 'proxy.test'),
  ]);
});
after(() => workspace.end());

/** Closes after each answer, so that every request is a handshake. */
class TlsBackend implements AsyncDisposable {
  readonly handshakes: { servername: unknown; resumed: boolean; client: string; alpn: unknown }[] = [];
  readonly #server: tls.Server;
  readonly #sockets = new Set<tls.TLSSocket>();

  constructor(options: tls.TlsOptions = {}) {
    const { cert, key } = behind;
    const ALPNProtocols = ['http/1.1'];
    this.#server = tls.createServer({ cert, key, ALPNProtocols, ...options }, (socket) => {
      this.#sockets.add(socket);
      const client = String(socket.getPeerCertificate().subject?.CN ?? '');
      const { servername, alpnProtocol: alpn } = socket as tls.TLSSocket & { servername?: unknown };
      this.handshakes.push({ servername, resumed: socket.isSessionReused(), client, alpn });
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbehind');
      });
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

type TargetTls = NonNullable<NonNullable<Extract<Route['action'], { type: 'forward' }>['target']>['tls']>;

function reencrypted(port: number, targetTls: TargetTls): Route {
  const { cert, key } = front;
  return {
    name: 'a.test',
    match: { ports: 0, address: '127.0.0.1', domains: 'a.test' },
    action: {
      type: 'forward',
      target: { host: '127.0.0.1', port, tls: targetTls },
      tls: { mode: 'terminate-and-reencrypt', certificate: { cert, key } },
    },
  };
}

async function answer(stage: Stage, route: Route, times = 1): Promise<{ status: number; log: unknown }> {
  const proxy = await serve(stage, [route], { log: { requests: true } });
  let status = 0;
  for (let i = 0; i < times; i++) {
    const client = await TlsClient.connect(proxy.port, { servername: 'a.test' });
    ({ status } = await client.get('a.test'));
    await client.close();
  }
  return { status, log: proxy.log.findLast(({ event }) => event === 'request')?.fields.error };
}

test('a backend is asked for by its name, verified, and its sessions are resumed', async (t) => {
  const backend = scoped(t, new TlsBackend());
  const port = await backend.listen();
  const stage = scoped(t, new Stage());
  const route = reencrypted(port, { ca: behind.certFile, serverName: 'backend.test' });
  assert.equal((await answer(stage, route, 3)).status, 200);
  assert.deepEqual(
    backend.handshakes.map(({ servername, resumed, alpn }) => [servername, resumed, alpn]),
    [
      ['backend.test', false, 'http/1.1'],
      ['backend.test', true, 'http/1.1'],
      ['backend.test', true, 'http/1.1'],
    ],
  );
});

test('a backend that cannot be verified is not spoken to, unless that is wanted', async (t) => {
  const backend = scoped(t, new TlsBackend());
  const port = await backend.listen();
  const stage = scoped(t, new Stage());
  const refused = [{}, { serverName: 'backend.test' }, { ca: behind.certFile, serverName: 'other.test' }];
  for (const settings of refused) {
    assert.deepEqual(await answer(stage, reencrypted(port, settings)), {
      status: 502,
      log: 'target-tls-failed',
    });
  }
  assert.equal((await answer(stage, reencrypted(port, { verify: false }))).status, 200);
});

test('a backend that asks for a certificate gets the one of the target', async (t) => {
  const backend = scoped(t, new TlsBackend({ requestCert: true, ca: member.cert }));
  const port = await backend.listen();
  const stage = scoped(t, new Stage());
  const { certFile, keyFile } = member;
  const settings = { ca: behind.cert, serverName: 'backend.test', certFile, keyFile };
  assert.equal((await answer(stage, reencrypted(port, settings))).status, 200);
  assert.equal(backend.handshakes[0]?.client, 'proxy.test');
});

test('a backend that speaks no TLS is a fault of its own', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend((peer) => {
    peer.send('220 what do you want\r\n').end();
  });
  assert.deepEqual(await answer(stage, reencrypted(backend.port, { verify: false })), {
    status: 502,
    log: 'target-tls-failed',
  });
});
