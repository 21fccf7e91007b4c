import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { bin, smartproxy } from '../support/command-line.ts';
import { Workspace } from '../support/workspace.ts';

const valid = `
routes:
  - name: web
    match: { ports: 8443, domains: a.test }
    action: { type: forward, target: { host: 127.0.0.1, port: 3000 }, tls: { mode: passthrough } }
  - name: rest
    match: { ports: 8443, domains: '*' }
    action: { type: block }
`;

const broken = `
routes:
  - name: web
    match: { port: 8443 }
    action: { type: forward, target: { host: 127.0.0.1, port: 300000 } }
`;

test('an old Node is told so in one sentence', () => {
  const pretend = `
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.17.1' } });
    require(${JSON.stringify(bin)});`;
  assert.throws(
    () => execFileSync(process.execPath, ['-e', pretend], { stdio: 'pipe', encoding: 'utf8' }),
    (error: { status: number; stderr: string }) => {
      assert.equal(error.status, 2);
      assert.match(error.stderr, /^smartproxy needs Node 22\.18 or later, and this is Node 22\.17\.1\.\n$/);
      return true;
    },
  );
});

test('help is help, and wrong usage ends with 2', async (context) => {
  const workspace = Workspace.of(context, 'usage');
  const help = await smartproxy(workspace, ['--help']);
  assert.equal(help.code, 0);
  for (const command of [
    'run',
    'demo',
    'check',
    'explain',
    'schema',
    'status',
    'terminate',
    'reload',
    'drain',
  ]) {
    assert.match(help.out, new RegExp(`^ +${command}\\b`, 'm'));
  }
  for (const args of [
    [],
    ['nonsense'],
    ['check', '--nonsense'],
    ['terminate'],
    ['status', '--admin', 'ftp://x'],
  ]) {
    const { code, err } = await smartproxy(workspace, args);
    assert.equal(code, 2, args.join(' '));
    assert.notEqual(err, '', args.join(' '));
  }
});

test('check says that a configuration is valid, or every problem with its path', async (context) => {
  const workspace = Workspace.of(context, 'check');
  const missing = await smartproxy(workspace, ['check']);
  assert.equal(missing.code, 2);
  assert.match(missing.err, /no smartproxy\.config/);

  workspace.write('smartproxy.config.yaml', valid);
  const found = await smartproxy(workspace, ['check']);
  assert.equal(found.code, 0);
  assert.match(found.out, /smartproxy\.config\.yaml: valid, 2 routes\n$/);

  const file = workspace.write('broken.yaml', broken);
  const refused = await smartproxy(workspace, ['check', '--config', file]);
  assert.equal(refused.code, 2);
  const lines = refused.out.trimEnd().split('\n');
  assert.ok(lines.length >= 2, refused.out);
  for (const line of lines) assert.ok(line.startsWith(`${file}: routes[0].`), line);
  assert.match(refused.out, /port.*ports/);

  const told = await smartproxy(workspace, ['check', '--config', file, '--json']);
  assert.equal(told.code, 2);
  const findings = JSON.parse(told.out) as { valid: boolean; problems: { path: string }[] };
  assert.equal(findings.valid, false);
  assert.equal(findings.problems.length, lines.length);
});

test('what a program leaves behind keeps no command', { timeout: 30_000 }, async (context) => {
  const workspace = Workspace.of(context, 'timer');
  const timer = 'setInterval(() => {}, 1_000);\n';
  const file = workspace.write('proxy.mjs', `${timer}export default { routes: [] };`);
  assert.equal((await smartproxy(workspace, ['check', '--config', file])).code, 0);
  assert.equal((await smartproxy(workspace, ['explain', 'tcp://:1', '--config', file])).code, 0);
});

test('explain answers from the configuration, without starting anything', async (context) => {
  const workspace = Workspace.of(context, 'explain');
  const config = workspace.write('proxy.yaml', valid);
  const told = await smartproxy(workspace, ['explain', 'tls://a.test:8443', '--config', config]);
  assert.equal(told.code, 0);
  assert.match(told.out, /takes the route web/);
  assert.match(told.out, /^rest +lost /m);
  const json = await smartproxy(workspace, ['explain', 'tls://b.test:8443', '--config', config, '--json']);
  assert.equal((JSON.parse(json.out) as { route: string }).route, 'rest');
  const nobody = ['explain', 'tls://a.test:8443', '--client', 'me', '--config', config];
  assert.match((await smartproxy(workspace, nobody)).err, /^'me' is no client \(write an address/);
  const mistyped = await smartproxy(workspace, ['explain', 'tls://a.test:8443', '--clients', '::1']);
  assert.equal(mistyped.code, 2);
  assert.match(mistyped.err, /unknown option '--clients'[\s\S]*--client\?[\s\S]*--help tells how/);
  const nonsense = await smartproxy(workspace, ['explain', 'ftp://x', '--config', config]);
  assert.equal(nonsense.code, 2);
  assert.match(nonsense.err, /ftp:\/\/x/);
});

test('schema prints a JSON Schema', async (context) => {
  const { code, out } = await smartproxy(Workspace.of(context, 'schema'), ['schema']);
  assert.equal(code, 0);
  const schema = JSON.parse(out) as { $schema: string; properties: Record<string, unknown> };
  assert.match(schema.$schema, /json-schema\.org/);
  assert.ok('routes' in schema.properties);
});

test('run refuses what is wrong, with 2 and what to write instead', async (context) => {
  const workspace = Workspace.of(context, 'refused');
  const file = workspace.write('broken.yaml', broken);
  const refused = await smartproxy(workspace, ['run', '--config', file]);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /broken\.yaml: routes\[0\]\.match\.port/);
  assert.equal(refused.out, '');
  const alone = await smartproxy(workspace, ['run', '--from', 'tcp://127.0.0.1:0']);
  assert.equal(alone.code, 2);
  assert.match(alone.err, /each --from needs a --to/);
  const both = await smartproxy(workspace, [
    'run',
    '--config',
    file,
    '--from',
    'tcp://:1',
    '--to',
    'tcp://a.test:1',
  ]);
  assert.equal(both.code, 2);
});
