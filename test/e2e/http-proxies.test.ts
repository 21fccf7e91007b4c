import assert from 'node:assert/strict';
import { it } from 'node:test';
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

type Start = (workspace: Workspace, backend: number) => Promise<number>;

const haproxyDefaults = `defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
`;

async function startHaproxy(workspace: Workspace, server: string): Promise<number> {
  const port = await freePort();
  const listen = `listen front\n  bind 127.0.0.1:${port}\n  server next ${server}\n`;
  const file = workspace.write('haproxy.cfg', haproxyDefaults + listen);
  await workspace.startServer(port, programPath('haproxy'), ['-db', '-f', file]);
  return port;
}

async function startCaddy(workspace: Workspace, reverseProxy: string): Promise<number> {
  const port = await freePort();
  const options = '{\n  admin off\n  auto_https off\n}\n';
  const site = `http://127.0.0.1:${port} {\n  reverse_proxy ${reverseProxy}\n}\n`;
  const file = workspace.write('Caddyfile', options + site);
  const env = ['env', `HOME=${workspace.folder}`, `XDG_DATA_HOME=${workspace.folder}`];
  const [program = '', ...args] = [
    ...env,
    programPath('caddy'),
    'run',
    '--adapter',
    'caddyfile',
    '--config',
    file,
  ];
  await workspace.startServer(port, program, args);
  return port;
}

const proxies: Record<'nginx' | 'haproxy' | 'caddy', Start> = {
  nginx: (workspace, backend) =>
    startNginx(
      workspace,
      `location / { client_max_body_size 0; proxy_http_version 1.1; proxy_request_buffering off;
       proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
       proxy_set_header Connection ""; proxy_pass http://127.0.0.1:${backend}; }`,
    ),
  haproxy: (workspace, backend) => startHaproxy(workspace, `127.0.0.1:${backend}`),
  caddy: (workspace, backend) => startCaddy(workspace, `127.0.0.1:${backend}`),
};

/** A page, an upload by length and one in chunks, and a page again. */
async function judge(workspace: Workspace, port: number): Promise<Seen[]> {
  const body = workspace.write('body', 'a line of some length\n'.repeat(50_000));
  const url = `http://127.0.0.1:${port}`;
  const curl = ['-sS', '-H', 'Expect:', '--fail-with-body'];
  const output = await workspace.run(programPath('curl'), [
    ...[...curl, '-w', '\n', `${url}/one?x=%20y`, '--next'],
    ...[...curl, '-w', '\n', '-T', body, `${url}/length`, '--next'],
    ...[...curl, '-w', '\n', '-H', 'Transfer-Encoding: chunked', '-T', body, `${url}/chunks`, '--next'],
    ...[...curl, `${url}/last`],
  ]);
  const seen = output.split('\n').map((line) => JSON.parse(line) as Seen);
  assert.deepEqual(
    seen.map(({ method, url: path, length }) => [method, path, length]),
    [
      ['GET', '/one?x=%20y', 0],
      ['PUT', '/length', 1_100_000],
      ['PUT', '/chunks', 1_100_000],
      ['GET', '/last', 0],
    ],
  );
  return seen;
}

for (const [name, start] of Object.entries(proxies) as ['nginx' | 'haproxy' | 'caddy', Start][]) {
  it(`${name} behind SmartProxy understands every request`, async (t) => {
    if (!hasPrograms(t, 'curl', name)) return;
    const workspace = Workspace.of(t, name);
    const behind = await start(workspace, await startNodeServer(workspace, tellSeen));
    const fixture = await startHttpProxy(workspace, [httpRoute('site', behind)]);
    await judge(workspace, fixture.portOf('site'));

    const requests = await requestsOf(fixture, 4);
    for (const { status, error } of requests) assert.deepEqual([status, error], [200, null]);
    assert.equal((await fixture.ending()).termination?.reason, 'client-closed');
  });

  // H11
  it(`${name} in front is believed about its client, and SmartProxy understands what it sends`, async (t) => {
    if (!hasPrograms(t, 'curl', name)) return;
    const workspace = Workspace.of(t, name);
    const backend = await startNodeServer(workspace, tellSeen);
    const fixture = await startHttpProxy(workspace, [httpRoute('site', backend)], {
      ...{ log: { requests: true } },
      trustForwarded: ['127.0.0.0/8'],
    });
    const port = await start(workspace, fixture.portOf('site'));
    const seen = await judge(workspace, port);
    const chain = name === 'haproxy' ? '127.0.0.1' : '127.0.0.1, 127.0.0.1';
    for (const { headers } of seen) assert.equal(headers['x-forwarded-for'], chain);

    const requests = await requestsOf(fixture, 4);
    for (const { status, error } of requests) assert.deepEqual([status, error], [200, null]);
  });
}

// P5
it('HAProxy in front of a site tells the client by PROXY protocol 2', async (t) => {
  if (!hasPrograms(t, 'curl', 'haproxy')) return;
  const workspace = Workspace.of(t, 'haproxy');
  const backend = await startNodeServer(workspace, tellSeen);
  const fixture = await startHttpProxy(workspace, [siteRoute('a.test', backend)], {
    ...{ log: { requests: true } },
    proxyProtocol: { trustedSources: ['127.0.0.1/32'] },
  });
  const port = await freePort();
  const next = `127.0.0.1:${fixture.portOf('a.test')} send-proxy-v2`;
  const listen = `listen front\n  mode tcp\n  bind 127.0.0.1:${port}\n  server next ${next}\n`;
  const file = workspace.write('haproxy.cfg', haproxyDefaults + listen);
  await workspace.startServer(port, programPath('haproxy'), ['-db', '-f', file]);
  const output = await workspace.run(programPath('curl'), [
    ...['-sSk', '--interface', '127.0.0.9', '--connect-to', `::127.0.0.1:${port}`, 'https://a.test/'],
  ]);
  const { headers } = JSON.parse(output) as Seen;
  assert.deepEqual([headers['x-forwarded-for'], headers['x-forwarded-proto']], ['127.0.0.9', 'https']);

  const [request] = await requestsOf(fixture, 1);
  await fixture.nothingLeft();
  const ending = fixture.endings.find(({ id }) => id === request?.connection);
  assert.deepEqual([ending?.client.ip, ending?.termination?.reason], ['127.0.0.9', 'client-closed']);
});

for (const version of [1, 2] as const) {
  it(`a backend that asks for PROXY protocol ${version} gets it once for each connection`, async (t) => {
    if (!hasPrograms(t, 'curl', 'haproxy')) return;
    const workspace = Workspace.of(t, 'haproxy');
    const port = await freePort();
    const frontend = `frontend site\n  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "client %ci"\n`;
    const file = workspace.write('haproxy.cfg', haproxyDefaults + frontend);
    await workspace.startServer(port, programPath('haproxy'), ['-db', '-f', file]);
    const route = httpRoute('site', port);
    if (route.action.type === 'forward') route.action.sendProxyProtocol = version;
    const fixture = await startHttpProxy(workspace, [route]);
    const url = `http://127.0.0.1:${fixture.portOf('site')}/`;
    for (const address of ['127.0.0.2', '127.0.0.3']) {
      const output = await workspace.run(programPath('curl'), ['-sS', '--interface', address, url, url]);
      assert.equal(output, `client ${address}client ${address}`, 'clients never share such a connection');
    }
    assert.deepEqual(
      (await requestsOf(fixture, 4)).map(({ reused }) => reused),
      [false, true, false, true],
    );
    await fixture.nothingLeft();
  });
}
