import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { checkConfiguration } from '../../src/cli/doctor/configuration-checks.ts';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { checkKernelForwarding } from '../../src/cli/doctor/kernel-forwarding.ts';
import { checkMachine, type Machine } from '../../src/cli/doctor/machine.ts';
import { processEnvironment } from '../../src/config/environment.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import { selfSigned } from '../support/certificates.ts';
import { RunningProxy, smartproxy, startEcho } from '../support/command-line.ts';
import { freePort, Workspace } from '../support/workspace.ts';

const good: Machine = {
  nodeVersion: '24.1.0',
  descriptorLimit: 1_048_576,
  now: Date.UTC(2026, 5, 1),
  installedAt: Date.UTC(2026, 0, 1),
  sysctl: (name) =>
    ({
      'net.core.somaxconn': '4096',
      'net.ipv4.ip_local_port_range': '32768\t60999',
      'fs.file-nr': '1000\t0\t9223372036854775807',
      'net.netfilter.nf_conntrack_count': '10',
      'net.netfilter.nf_conntrack_max': '262144',
    })[name],
  clockSynchronised: async () => 'yes',
};

function of(findings: readonly Finding[], check: string): string[] {
  return findings.filter((finding) => finding.check === check).map(({ level }) => level);
}

test('a machine without trouble gets no advice', async () => {
  const findings = await checkMachine(good);
  assert.deepEqual(new Set(findings.map(({ level }) => level)), new Set(['ok']));
  const unknown = await checkMachine({
    ...good,
    sysctl: () => undefined,
    clockSynchronised: async () => undefined,
  });
  assert.deepEqual(
    new Set(unknown.map(({ level }) => level)),
    new Set(['ok']),
    'what nobody tells is no trouble',
  );
});

test('each trouble of a machine is told, with what to do', async () => {
  const values: Record<string, string> = {
    'net.core.somaxconn': '128',
    'net.ipv4.ip_local_port_range': '60000 61000',
    'fs.file-nr': '9000 0 10000',
    'net.netfilter.nf_conntrack_count': '60000',
    'net.netfilter.nf_conntrack_max': '65536',
  };
  const findings = await checkMachine({
    nodeVersion: '99.0.0',
    descriptorLimit: 1_024,
    now: Date.UTC(2020, 0, 1),
    installedAt: Date.UTC(2026, 0, 1),
    sysctl: (name) => values[name],
    clockSynchronised: async () => 'no',
  });
  const expected = { node: 'note', descriptors: 'warning', clock: 'problem', somaxconn: 'warning' };
  for (const [check, level] of Object.entries(expected))
    assert.deepEqual(of(findings, check), [level], check);
  for (const check of ['ports-out', 'file-table', 'conntrack'])
    assert.deepEqual(of(findings, check), ['warning'], check);
  for (const { level, advice } of findings) if (level !== 'note') assert.ok(advice);
  assert.deepEqual(of(await checkMachine({ ...good, clockSynchronised: async () => 'no' }), 'clock'), [
    'warning',
  ]);
});

test('certificates near their end, past it, or of another key are told before clients tell', async (t) => {
  const workspace = Workspace.of(t, 'doctor');
  const { certFile, keyFile } = await selfSigned(workspace, 'a.test');
  const other = await selfSigned(workspace, 'b.test');
  const findings = async (key: string, now: number): Promise<Finding[]> => {
    const route = {
      name: 'site',
      match: { ports: 0, domains: 'a.test' },
      action: { type: 'respond', status: 200, tls: { certificate: { certFile, keyFile: key } } },
    };
    const input = { routes: [route], stateDirectory: workspace.path('state') };
    const { options } = resolveOptions(input, processEnvironment());
    return checkConfiguration(options, { descriptorLimit: 1_048_576, now, ownPid: null });
  };
  assert.deepEqual(of(await findings(keyFile, Date.now()), 'certificates'), ['warning'], 'two days are few');
  assert.deepEqual(of(await findings(keyFile, Date.now() + 3 * 86_400_000), 'certificates'), ['warning']);
  const mismatch = await findings(other.keyFile, Date.now());
  assert.deepEqual(of(mismatch, 'certificates'), ['problem']);
  assert.match(mismatch.find(({ check }) => check === 'certificates')?.advice ?? '', /key-mismatch/);
});

test('doctor finds a port that is taken, and by whom, and ends with 1', async (t) => {
  const workspace = Workspace.of(t, 'doctor');
  const [taken, free] = [await startEcho(workspace), await freePort()];
  const route = (name: string, port: number): object => ({
    name,
    match: { ports: port, address: '127.0.0.1' },
    action: { type: 'block' },
  });
  const file = workspace.write(
    'proxy.json',
    JSON.stringify({ routes: [route('a', taken), route('b', free)] }),
  );
  const none = `unix:${workspace.path('none.sock')}`;
  const { code, out } = await smartproxy(workspace, ['doctor', '--config', file], { SMARTPROXY_ADMIN: '' });
  assert.equal(code, 1, out);
  assert.match(
    out,
    new RegExp(`^problem  ports +127\\.0\\.0\\.1:${taken} is taken by node .*\\(pid ${process.pid}\\)$`, 'm'),
  );
  assert.match(out, /^ok +ports +1 of 2 ports are free/m);
  assert.match(out, /\n1 problem\n$/);
  const away = await smartproxy(workspace, ['doctor', '--json', '--admin', none]);
  assert.equal(away.code, 1);
  const { findings } = JSON.parse(away.out) as { findings: Finding[] };
  assert.deepEqual(of(findings, 'instance'), ['problem'], 'somebody said that it is there');
  workspace.write('proxy.json', '{ "routes": [ { "nam": "x" } ] }');
  const broken = await smartproxy(workspace, ['doctor', '--config', file]);
  assert.equal(broken.code, 1);
  assert.match(broken.out, /^problem {2}configuration +.*proxy\.json: routes\[0\]/m);
});

test('doctor tells that the other process of a bridge is missing', async (t) => {
  const workspace = Workspace.of(t, 'bridge');
  const port = await freePort();
  const secretFile = workspace.write('secret', 'x'.repeat(64));
  const resolved = (file: string) =>
    resolveOptions(
      {
        routes: [],
        networkProxy: { bridge: 'loopback', port, secretFile: file },
        stateDirectory: workspace.folder,
      },
      processEnvironment(),
    ).options;
  const levels = async (file = secretFile) =>
    of(
      await checkConfiguration(resolved(file), { descriptorLimit: 20_000, now: Date.now(), ownPid: null }),
      'bridge',
    );
  assert.deepEqual(await levels(), ['ok', 'problem']);
  const server = net.createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  assert.deepEqual(await levels(), ['ok', 'ok']);
  assert.deepEqual(await levels(workspace.path('no-such')), ['problem', 'ok']);
  server.close();
});

test('doctor asks for forwarding only where a route needs it', async () => {
  const forwarding = async (host: string, manageSysctls = false) => {
    const action = { type: 'forward', engine: 'nftables', target: { host, port: 1 } } as const;
    const routes = [{ name: 'kernel', match: { ports: 5432 }, action }];
    const { options } = resolveOptions({ routes, nftables: { manageSysctls } }, processEnvironment());
    return of(await checkKernelForwarding(options), 'ip-forward');
  };
  assert.deepEqual(await forwarding('127.0.0.1'), ['ok']);
  assert.deepEqual(await forwarding('192.0.2.1', true), []);
  const forwards = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1';
  assert.deepEqual(await forwarding('192.0.2.1'), [forwards ? 'ok' : 'problem']);
});

test('doctor looks at the running instance, and its bundle has what helps, without secrets', async (t) => {
  const workspace = Workspace.of(t, 'doctor');
  const port = await freePort();
  const token = 'a-very-secret-token';
  const adminPort = await freePort();
  const config = {
    routes: [
      {
        name: 'echo',
        match: { ports: port, address: '127.0.0.1' },
        action: { type: 'forward', target: { host: '127.0.0.1', port: await startEcho(workspace) } },
      },
    ],
    admin: { listen: `127.0.0.1:${adminPort}`, token },
    certificates: {
      acme: {
        eab: { keyId: 'kid', hmacKey: 'a-very-secret-key' },
        ask: 'https://me:a-very-secret-word@ask.test/',
      },
    },
    stateDirectory: workspace.path('state'),
  };
  const file = workspace.write('smartproxy.config.json', JSON.stringify(config));
  const proxy = new RunningProxy(workspace, ['run', '--config', file]);
  await proxy.logs('ready');
  const socket = net.connect(port, '127.0.0.1').resume();
  socket.end('hello');
  await once(socket, 'close');
  const admin = `http://127.0.0.1:${adminPort}`;
  const env = { SMARTPROXY_ADMIN: admin, SMARTPROXY_ADMIN_TOKEN: token };
  const locked = await smartproxy(workspace, ['doctor', '--config', file], { SMARTPROXY_ADMIN: admin });
  assert.match(locked.out, /^problem {2}instance +.* asks for a token/m);
  const bundleFile = workspace.path('bundle.json');
  const { code, out, err } = await smartproxy(
    workspace,
    ['doctor', '--config', file, '--bundle', bundleFile],
    env,
  );
  assert.equal(code, 0, out + err);
  assert.match(out, /^ok +instance +an instance is ready \(pid \d+/m);
  assert.match(out, /^ok +audit +the books agree/m);
  assert.match(out, /^ok +ports +1 of 1 ports are free, or the instance's own$/m);
  assert.equal(statSync(bundleFile).mode & 0o777, 0o600);
  const text = readFileSync(bundleFile, 'utf8');
  assert.doesNotMatch(text, /a-very-secret/);
  const made = JSON.parse(text);
  assert.equal(made.configurationFile.routes[0].name, 'echo');
  assert.equal(made.configurationFile.admin.token, '***');
  assert.equal(made.running.configuration.admin.token, '***');
  assert.equal(made.running.terminations.terminations[0].termination.reason, 'client-closed');
  assert.equal(made.running.statistics.connections.terminated, 1);
  assert.equal(made.versions.node, process.versions.node);
  assert.ok(made.findings.length > 5 && made.running.instance.pid === proxy.program.pid);
  const again = await smartproxy(workspace, ['doctor', '--config', file, '--bundle', bundleFile], env);
  assert.equal(again.code, 1);
  assert.match(again.err, /exists already/);
});
