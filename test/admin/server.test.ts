import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import type { ControlPort } from '../../src/admin/control-port.ts';
import { AdminServer } from '../../src/admin/server.ts';
import type { SmartProxyError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { ConfigurationError } from '../../src/config/problems.ts';
import { TestControl } from './test-control.ts';

const folder = mkdtempSync(join(tmpdir(), 'smartproxy-admin-'));
const openDescriptors = (): number => readdirSync('/proc/self/fd').length;
const descriptorsBefore = openDescriptors();
after(() => rmSync(folder, { recursive: true }));

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  body: { error?: { code: string; message: string; problems?: unknown[] } } & Record<string, unknown>;
}

const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function start(
  options: { listen?: string; token?: string | null; control?: ControlPort } = {},
): Promise<AdminServer> {
  const server = new AdminServer({
    listen: options.listen ?? '127.0.0.1:0',
    token: options.token ?? null,
    control: options.control ?? new TestControl(),
    log: silentLogger,
  });
  servers.push(server);
  await server.start();
  return server;
}

async function call(
  server: AdminServer,
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: string; agent?: http.Agent } = {},
): Promise<Answer> {
  const where = server.address.startsWith('unix:')
    ? { socketPath: server.address.slice(5) }
    : { host: '127.0.0.1', port: new URL(server.address).port };
  const agent = options.agent ?? false;
  const request = http.request({ ...where, method, path, agent, headers: options.headers });
  request.end(options.body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    body: isJson(response) && text !== '' ? (JSON.parse(text) as Answer['body']) : {},
  };
}

function isJson({ headers }: http.IncomingMessage): boolean {
  return headers['content-type']?.startsWith('application/json') === true;
}

const json = { 'content-type': 'application/json' };

test('every call of the contract answers', async () => {
  const control = new TestControl();
  const server = await start({ control });
  const expected: [string, string, number, unknown][] = [
    ['GET', '/health', 200, { status: 'ok' }],
    ['GET', '/ready', 200, { status: 'ok' }],
    ['GET', '/api/v1/statistics', 200, { connections: { active: 1 } }],
    [
      'GET',
      '/api/v1/connections',
      200,
      {
        connections: [{ id: 'c1', query: { order: 'started', descending: false, limit: 1_000_000 } }],
        total: 1,
      },
    ],
    [
      'GET',
      '/api/v1/connections?sort=-bytes&limit=5&route=web&state=dialing&name=a&client=10.0.0.0/8,::1',
      200,
      {
        connections: [
          {
            id: 'c1',
            query: {
              ...{ route: 'web', state: 'dialing', name: 'a', clients: ['10.0.0.0/8', '::1'] },
              ...{ order: 'bytes', descending: true, limit: 5 },
            },
          },
        ],
        total: 1,
      },
    ],
    ['GET', '/api/v1/instance', 200, { version: '1.2.3' }],
    ['GET', '/api/v1/configuration', 200, { routes: [] }],
    ['GET', '/api/v1/connections/c1', 200, { id: 'c1' }],
    ['GET', '/api/v1/connections/old%20one', 200, { id: 'old one' }],
    ['GET', '/api/v1/terminations?limit=5', 200, { terminations: [{ limit: 5, after: 0 }], total: 7 }],
    ['GET', '/api/v1/terminations?after=6', 200, { terminations: [{ limit: 100, after: 6 }], total: 7 }],
    ['GET', '/api/v1/history', 200, { samples: [{ seconds: 60 }] }],
    ['GET', '/api/v1/history?seconds=999999', 200, { samples: [{ seconds: 300 }] }],
    ['GET', '/api/v1/certificates', 200, { certificates: [{ names: ['a.test'] }] }],
    ['GET', '/api/v1/routes', 200, { routes: [{ name: 'web' }] }],
    ['POST', '/api/v1/certificates/a.test/renew', 200, { certificate: { names: ['a.test'] } }],
    [
      'GET',
      '/api/v1/explain?target=tls%3A%2F%2Fa.test%3A443',
      200,
      { target: 'tls://a.test:443', client: null },
    ],
    ['GET', '/api/v1/explain?target=x&client=::ffff:10.0.0.1', 200, { target: 'x', client: '10.0.0.1' }],
    ['DELETE', '/api/v1/connections/c1', 200, { id: 'c1', terminated: true }],
    ['POST', '/api/v1/reload', 200, { status: 'reloaded' }],
    ['POST', '/api/v1/drain', 202, { status: 'draining' }],
  ];
  for (const [method, path, status, body] of expected) {
    const answer = await call(server, method, path, { headers: method === 'GET' ? {} : json });
    assert.deepEqual([path, answer.status, answer.body], [path, status, body]);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers['cache-control'], 'no-store');
  }
  assert.deepEqual(control.calls, ['renew a.test', 'reload', 'drain']);
  assert.equal((await call(server, 'HEAD', '/health')).status, 200);
});

test('what is not there, or not possible, is said in JSON', async () => {
  const server = await start();
  const expected: [string, string, number, string][] = [
    ['GET', '/nothing', 404, 'not-found'],
    ['GET', '/constructor', 404, 'not-found'],
    ['GET', '/api/v1/connections/unknown', 404, 'no-such-connection'],
    ['DELETE', '/api/v1/connections/unknown', 404, 'no-such-connection'],
    ['POST', '/api/v1/certificates/b.test/renew', 404, 'no-such-certificate'],
    ['GET', '/api/v1/certificates/a.test', 404, 'not-found'],
    ['GET', '/api/v1/certificates/a.test/renew', 405, 'method-not-allowed'],
    ['GET', '/%zz', 400, 'invalid-path'],
    ['GET', '/api/v1/terminations?limit=none', 400, 'invalid-query'],
    ['GET', '/api/v1/terminations?limit=0', 400, 'invalid-query'],
    ['GET', '/api/v1/connections?limit=0', 400, 'invalid-query'],
    ['GET', '/api/v1/connections?sort=colour', 400, 'invalid-query'],
    ['GET', '/api/v1/connections?client=nobody', 400, 'invalid-query'],
    ['GET', '/api/v1/terminations?after=-1', 400, 'invalid-query'],
    ['GET', '/api/v1/history?seconds=0', 400, 'invalid-query'],
    ['GET', '/api/v1/history?seconds=1e3', 400, 'invalid-query'],
    ['GET', '/api/v1/explain', 400, 'invalid-query'],
    ['GET', `/api/v1/explain?target=${'x'.repeat(3000)}`, 400, 'invalid-query'],
    ['GET', '/api/v1/explain?target=x&client=nobody', 400, 'invalid-query'],
    ['GET', '/api/v1/explain?target=nonsense', 400, 'invalid-target'],
    ['PUT', '/health', 405, 'method-not-allowed'],
    ['GET', '/api/v1/reload', 405, 'method-not-allowed'],
  ];
  for (const [method, path, status, code] of expected) {
    const answer = await call(server, method, path, { headers: json });
    assert.deepEqual([path, answer.status, answer.body.error?.code], [path, status, code]);
  }
  assert.equal((await call(server, 'GET', '/api/v1/reload')).headers.allow, 'POST');
});

test('metrics are a text for Prometheus, or not there where nothing is measured', async () => {
  const control = new TestControl();
  const server = await start({ control });
  const answer = await call(server, 'GET', '/metrics');
  assert.deepEqual([answer.status, answer.text], [200, 'up 1\n']);
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4');
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  control.measures = false;
  const none = await call(server, 'GET', '/metrics');
  assert.deepEqual([none.status, none.body.error?.code], [404, 'metrics-off']);
});

test('ready says no while the proxy starts or drains', async () => {
  const control = new TestControl();
  const server = await start({ control });
  for (const state of ['starting', 'draining'] as const) {
    control.state = state;
    const answer = await call(server, 'GET', '/ready');
    assert.deepEqual([answer.status, answer.body], [503, { status: state }]);
    assert.equal((await call(server, 'GET', '/health')).status, 200);
  }
});

test('a configuration that is refused by a reload comes back with its problems', async () => {
  const control = new TestControl();
  const problems = [{ path: 'routes[0].name', message: 'is missing' }];
  control.reloadError = new ConfigurationError(problems, { file: 'smartproxy.config.yaml' });
  const server = await start({ control });
  const refused = await call(server, 'POST', '/api/v1/reload', { headers: json });
  assert.equal(refused.status, 422);
  assert.deepEqual(refused.body.error?.problems, problems);
  control.reloadError = new Error('the inside of the proxy');
  const failed = await call(server, 'POST', '/api/v1/reload', { headers: json });
  assert.equal(failed.status, 500);
  assert.doesNotMatch(JSON.stringify(failed.body), /inside of the proxy/);
});

test('a foreign Host or Origin is refused', async () => {
  const server = await start();
  const own = new URL(server.address).host;
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await call(server, 'GET', '/health', { headers })).status;
  for (const host of ['localhost', 'localhost:1', '127.0.0.1', '[::1]:9901', own]) {
    assert.equal(await status({ host }), 200, host);
  }
  for (const host of ['evil.test', '10.0.0.1', 'localhost.evil.test', '127.0.0.1.evil.test', '[']) {
    assert.equal(await status({ host }), 403, host);
  }
  assert.equal(await status({ host: own, origin: `http://${own}` }), 200);
  for (const origin of ['http://evil.test', 'null', 'http://localhost:1', `https://${own}`]) {
    assert.equal(await status({ host: own, origin }), 403, origin);
  }
});

test('what changes anything needs a Content-Type that a page cannot send unasked', async () => {
  const control = new TestControl();
  const server = await start({ control });
  for (const headers of [{}, { 'content-type': 'text/plain' }, { 'content-type': 'application/jsonx' }]) {
    assert.equal((await call(server, 'POST', '/api/v1/drain', { headers })).status, 415);
    assert.equal((await call(server, 'DELETE', '/api/v1/connections/c1', { headers })).status, 415);
  }
  assert.deepEqual(control.calls, []);
  const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
  assert.equal((await call(server, 'POST', '/api/v1/drain', { headers, body: '{}' })).status, 202);
});

test('bodies are bounded, and are JSON', async () => {
  const control = new TestControl();
  const server = await start({ control });
  const large = await call(server, 'POST', '/api/v1/drain', { headers: json, body: ' '.repeat(70_000) });
  assert.equal(large.status, 413);
  const wrong = await call(server, 'POST', '/api/v1/drain', { headers: json, body: 'drain!' });
  assert.equal(wrong.body.error?.code, 'invalid-json');
  assert.deepEqual(control.calls, []);
});

test('with a token, nobody gets in without it', async () => {
  const server = await start({ token: 'secret-token' });
  const status = async (authorization?: string): Promise<number> => {
    const headers = authorization === undefined ? {} : { authorization };
    return (await call(server, 'GET', '/health', { headers })).status;
  };
  assert.equal(await status('Bearer secret-token'), 200);
  assert.equal(await status('bearer secret-token'), 200);
  for (const wrong of [undefined, 'Bearer', 'Bearer secret', 'Bearer secret-token2', 'Basic secret-token']) {
    assert.equal(await status(wrong), 401, wrong);
  }
  assert.match((await call(server, 'GET', '/health')).headers['www-authenticate'] ?? '', /Bearer/);
  const told = async (authorization?: string) =>
    (await call(server, 'GET', '/health', authorization ? { headers: { authorization } } : {})).body.error
      ?.message;
  assert.match((await told()) ?? '', /send the token/);
  assert.match((await told('Bearer wrong')) ?? '', /this is not the token/);
});

test('anywhere but on this machine a token is required', () => {
  for (const listen of ['0.0.0.0:0', '[::]:0', '192.0.2.1:9901']) {
    assert.throws(
      () => new AdminServer({ listen, token: null, control: new TestControl(), log: silentLogger }),
      {
        code: 'invalid-configuration',
      },
    );
  }
  assert.throws(
    () => new AdminServer({ listen: 'nonsense', token: 'x', control: new TestControl(), log: silentLogger }),
    {
      code: 'invalid-configuration',
    },
  );
});

test('a unix socket is for its owner alone, and its folder is made', async () => {
  const path = join(folder, 'made', 'admin.sock');
  const server = await start({ listen: `unix:${path}` });
  assert.equal(server.address, `unix:${path}`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'made')).mode & 0o777, 0o700);
  assert.equal((await call(server, 'GET', '/health', { headers: { host: 'anything' } })).status, 200);
  await server.stop();
  assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
});

test('the socket of a dead process is replaced, that of a living one is an error', async () => {
  const path = join(folder, 'stale.sock');
  // What a process that was killed leaves: a bound socket without a listener.
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  assert.throws(() => execFileSync(process.execPath, ['-e', script]));
  assert.ok(statSync(path).isSocket());
  await start({ listen: `unix:${path}` });
  await assert.rejects(start({ listen: `unix:${path}` }), { code: 'admin-in-use' });
});

test('another file is never overwritten', async () => {
  const path = join(folder, 'precious');
  writeFileSync(path, 'data');
  chmodSync(path, 0o644);
  await assert.rejects(start({ listen: `unix:${path}` }), { code: 'admin-listen-failed' });
  assert.equal(statSync(path).size, 4);
});

test('a port that is taken is named', async () => {
  const first = await start();
  const listen = new URL(first.address).host;
  await assert.rejects(start({ listen }), (error: SmartProxyError) => {
    assert.equal(error.code, 'port-taken');
    assert.match(error.message, new RegExp(listen.replaceAll('.', '\\.')));
    return true;
  });
});

test('stop ends connections that are kept alive, and those in the middle of a request', async () => {
  const server = await start();
  const agent = new http.Agent({ keepAlive: true });
  await call(server, 'GET', '/health', { agent });
  const half = net.connect({ host: '127.0.0.1', port: Number(new URL(server.address).port) });
  half.on('error', () => {});
  half.write(
    'POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n',
  );
  await once(half, 'connect');
  await call(server, 'GET', '/health', { agent });
  const closed = once(half, 'close');
  half.resume();
  await server.stop();
  await server.stop();
  await closed;
  agent.destroy();
});

test('the answer to what stops the server is still written', async () => {
  const control = new TestControl();
  const server = await start({ control });
  let stopped: Promise<void> | undefined;
  control.drain = async () => {
    stopped = server.stop();
  };
  assert.equal((await call(server, 'POST', '/api/v1/drain', { headers: json })).status, 202);
  await stopped;
});

test('no descriptor is left', async () => {
  for (let turn = 0; turn < 1_000 && openDescriptors() > descriptorsBefore; turn++) {
    await new Promise((done) => setImmediate(done));
  }
  assert.equal(openDescriptors(), descriptorsBefore);
});
