import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import { LocalAuthority } from '../../../src/certificates/local-authority.ts';
import type { Route } from '../../../src/config/schema.ts';
import type { AcmeAuthority } from '../../support/authority/acme-authority.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { accepts, type Workspace } from '../../support/workspace.ts';
import { acmeStage, failed, issued, ordering, site, startProxy } from './stage.ts';

const before = holdings();

/** A route for clear-text HTTP on a port. */
function clearRoute(port: number, target: number, match: Partial<Route['match']> = {}): Route {
  return {
    name: 'clear',
    match: { ports: port, address: '127.0.0.1', protocol: 'http', ...match },
    action: { type: 'forward', target: { host: '127.0.0.1', port: target } },
  };
}

/** A backend that says what it was asked for. */
async function startBackend(workspace: Workspace): Promise<number> {
  const server = http.createServer((request, response) => response.end(`backend: ${request.url}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A backend that orders for itself: it shows its own certificate to whoever asks by acme-tls/1. */
async function startProvingBackend(
  workspace: Workspace,
  name: string,
  clock: Parameters<typeof LocalAuthority.create>[0]['clock'],
) {
  const own = await LocalAuthority.create({ clock, name: 'Backend’s' });
  const server = tls.createServer({ ...(await own.issue([name])), ALPNProtocols: ['acme-tls/1'] });
  server.on('secureConnection', (socket) => socket.on('error', () => {}).end());
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function get(port: number, host: string, path: string): Promise<string> {
  const request = http.get({ host: '127.0.0.1', port, path, headers: { host }, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = `${response.statusCode} `;
  for await (const part of response) text += part;
  return text;
}

/** Who answers a hello that asks for the proof of a name: the issuer of the certificate, or how it fails. */
async function whoProves(port: number, servername: string): Promise<string> {
  const options = { servername, ALPNProtocols: ['acme-tls/1'], rejectUnauthorized: false };
  const socket = tls.connect({ host: '127.0.0.1', port, ...options });
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  socket.on('secureConnect', () => resolve(socket.getPeerCertificate().issuer.CN as string));
  const answer = await promise;
  socket.destroy();
  return answer;
}

/** Runs `action` once, between the order for a name and the authority's look at its proof. */
function duringOrder(authority: AcmeAuthority, action: (token: string) => Promise<void>): void {
  let ran = false;
  authority.intercept = async (resource) => {
    if (resource !== 'challenge' || ran) return null;
    ran = true;
    await action(authority.orders.at(-1)!.authorizations[0]!.token);
    return null;
  };
}

// C3
test('a route on the port of HTTP-01 goes on: only the token of our order is answered in its place', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const backend = await startBackend(workspace);
  const { httpPort } = authority;
  const seen: string[] = [];
  duringOrder(authority, async (token) => {
    const path = `/.well-known/acme-challenge/${token}`;
    seen.push((await get(httpPort, 'a.example', path)).split('.')[0]!.replace(token, 'TOKEN'));
    seen.push((await get(httpPort, 'other.example', path)).replace(token, 'TOKEN'));
    seen.push(await get(httpPort, 'a.example', '/.well-known/acme-challenge/somebody-elses-token'));
    seen.push(await get(httpPort, 'a.example', '/.well-known/acme-challenge/'));
    seen.push(await get(httpPort, 'a.example', '/page'));
  });
  const routes = [site('a.example'), clearRoute(httpPort, backend)];
  const fixture = await startProxy(workspace, routes, ordering(authority, { challenge: 'http-01' }));
  await issued(fixture, ['a.example']);
  assert.deepEqual(seen, [
    '200 TOKEN',
    '200 backend: /.well-known/acme-challenge/TOKEN',
    '200 backend: /.well-known/acme-challenge/somebody-elses-token',
    '200 backend: /.well-known/acme-challenge/',
    '200 backend: /page',
  ]);
  assert.ok(!fixture.log.events().includes('challenge-port-opened'));
  const { token } = authority.orders[0]!.authorizations[0]!;
  const path = `/.well-known/acme-challenge/${token}`;
  assert.equal(await get(httpPort, 'a.example', path), `200 backend: ${path}`);
});

// C3
test('a backend behind passthrough proves its own names by acme-tls/1, while an order of ours waits and after', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  const backend = await startProvingBackend(workspace, 'b.example', clock);
  const passthrough: Route = {
    name: 'b.example',
    match: { ports: authority.tlsPort, address: '127.0.0.1', domains: ['b.example', '*.b.example'] },
    action: { type: 'forward', target: { host: '127.0.0.1', port: backend }, tls: { mode: 'passthrough' } },
  };
  const seen: string[] = [];
  duringOrder(authority, async () => {
    seen.push(await whoProves(authority.tlsPort, 'a.example'));
    seen.push(await whoProves(authority.tlsPort, 'b.example'));
  });
  const acme = ordering(authority, { challenge: 'tls-alpn-01' });
  const fixture = await startProxy(workspace, [site('a.example', authority.tlsPort), passthrough], acme);
  await issued(fixture, ['a.example']);
  seen.push(await whoProves(authority.tlsPort, 'b.example'));
  seen.push(await whoProves(authority.tlsPort, 'a.example'));
  assert.deepEqual(
    seen.map((one) => one.replace(/’s$/, '')),
    [...['ACME challenge', 'Backend', 'Backend', 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME']],
  );
});

test('who asks for a proof is not who a route’s lists of clients mean', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const backend = await startBackend(workspace);
  const { httpPort, tlsPort } = authority;
  const nobody = { clientIp: ['192.0.2.0/24'] };
  const hidden = (name: string): Route => ({ ...site(name, tlsPort), security: { allow: nobody.clientIp } });
  const clear = clearRoute(httpPort, backend, nobody);
  const byHttp = await startProxy(
    workspace,
    [site('a.example'), clear],
    ordering(authority, { challenge: 'http-01' }),
  );
  await issued(byHttp, ['a.example']);
  await assert.rejects(get(httpPort, 'a.example', '/page'), { code: 'ECONNRESET' });
  const acme = ordering(authority, { challenge: 'tls-alpn-01' });
  const byTls = await startProxy(workspace, [hidden('b.example')], acme, {
    stateDirectory: workspace.path('other'),
  });
  await issued(byTls, ['b.example']);
});

test('a port that another program has is told with who it is, and another way is gone', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const other = net.createServer((socket) =>
    socket
      .on('error', () => {})
      .resume()
      .end('220 hello\r\n'),
  );
  other.listen(authority.httpPort);
  await once(other, 'listening');
  workspace.onEnd(() => void other.close());
  const first = await startProxy(
    workspace,
    [site('a.example')],
    ordering(authority, { challenge: 'http-01' }),
  );
  const { code, error } = await failed(first, 'a.example');
  assert.equal(code, 'challenge-unavailable');
  assert.match(
    String(error),
    new RegExp(`port ${authority.httpPort} cannot be used: .*\\(pid ${process.pid}\\) has it`),
  );
  const stateDirectory = workspace.path('other');
  const routes = [site('a.example', authority.tlsPort)];
  const second = await startProxy(workspace, routes, ordering(authority), { stateDirectory });
  await issued(second, ['a.example']);
});

test('a route that takes the port and does not read HTTP is told', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const deaf: Route = {
    name: 'deaf',
    match: { ports: authority.httpPort, address: '127.0.0.1' },
    action: { type: 'forward', target: { host: '127.0.0.1', port: 9 } },
  };
  const acme = ordering(authority, { challenge: 'http-01' });
  const fixture = await startProxy(workspace, [site('a.example'), deaf], acme);
  const { code, error } = await failed(fixture, 'a.example');
  assert.equal(code, 'challenge-unavailable');
  assert.match(String(error), /the route 'deaf' has it, and does not read HTTP/);
  const warning = fixture.log.lines.find(({ event }) => event === 'configuration-warning');
  assert.match(String(warning?.fields.message), /'deaf' takes port \d+ and does not read HTTP/);
});

test('a reload may give the port of an order to a route, and take it away again', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const backend = await startBackend(workspace);
  const { httpPort } = authority;
  const everywhere = clearRoute(httpPort, backend);
  delete (everywhere.match as { address?: string }).address;
  const routes = [site('a.example'), site('b.example')];
  const acme = ordering(authority, { challenge: 'http-01' });
  const fixture = await startProxy(workspace, [], acme);
  duringOrder(authority, async () => {
    await fixture.proxy.updateRoutes([...routes, everywhere]);
    assert.equal(await get(httpPort, 'a.example', '/page'), '200 backend: /page');
    await fixture.proxy.updateRoutes([...routes, clearRoute(httpPort, backend)]);
    assert.equal(await get(httpPort, 'a.example', '/page'), '200 backend: /page');
    await fixture.proxy.updateRoutes(routes);
  });
  await fixture.proxy.updateRoutes(routes);
  await issued(fixture, ['a.example', 'b.example']);
  assert.equal(await accepts(httpPort), true);
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
