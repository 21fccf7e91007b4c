import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { LocalAuthority } from '../certificates/local-authority.ts';
import { processEnvironment } from '../config/environment.ts';
import type { Route, SmartProxyOptions } from '../config/schema.ts';
import type { SmartProxy } from '../smart-proxy/smart-proxy.ts';
import { type DemoBackend, startEcho, startSite } from './demo-backends.ts';
import { withLog } from './run.ts';
import { serve } from './serve.ts';

/** Nobody is to trust a demonstration for longer. */
const authorityValidityMs = 7 * 86_400_000;
const sites = ['one.localhost', 'two.localhost'] as const;

/** `smartproxy demo`: two TLS sites by name and an echo service behind one proxy, until a signal ends it. */
export async function demo(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'smartproxy-demo-'));
  const backends: DemoBackend[] = [];
  try {
    const authority = await LocalAuthority.create({
      clock: systemClock,
      name: 'SmartProxy demo authority',
      validityMs: authorityValidityMs,
    });
    const authorityFile = join(folder, 'authority.pem');
    writeFileSync(authorityFile, authority.certificate);
    for (const name of sites) backends.push(await startSite(name, await authority.issue([name])));
    backends.push(await startEcho());
    const ports = backends.map(({ port }) => port);
    await withLog((log) =>
      serve({
        input: demoOptions(ports),
        file: null,
        log,
        environment: processEnvironment(),
        onReady: (proxy) => {
          const steps = whatToTry(proxy, authorityFile);
          if (!process.stdout.isTTY) log.info('demo', { try: steps.map(({ command }) => command) });
          showSteps(steps);
        },
      }),
    );
  } finally {
    for (const backend of backends) backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function demoOptions([one = 0, two = 0, echo = 0]: readonly number[]): SmartProxyOptions {
  const match = { ports: 0, address: '127.0.0.1' };
  const site = (domains: string, port: number): Route => ({
    name: domains,
    match: { ...match, domains },
    action: { type: 'forward', target: { host: '127.0.0.1', port }, tls: { mode: 'passthrough' } },
  });
  return {
    routes: [
      site(sites[0], one),
      site(sites[1], two),
      { name: 'echo', match, action: { type: 'forward', target: { host: '127.0.0.1', port: echo } } },
    ],
    admin: { listen: '127.0.0.1:0' },
  };
}

interface Step {
  what: string;
  command: string;
}

/** Commands that work as they stand, in any shell and folder. */
function whatToTry(proxy: SmartProxy, authorityFile: string): Step[] {
  const portOf = (route: string): number =>
    proxy.listeners().find(({ routes }) => routes.includes(route))?.port ?? 0;
  const tls = portOf(sites[0]);
  const admin = proxy.adminAddress ?? '';
  const ca = quote(authorityFile);
  const smartproxy = ownCommand();
  const get = (name: string): string =>
    `curl --cacert ${ca} --connect-to ${name}:443:127.0.0.1:${tls} https://${name}/`;
  return [
    { what: 'A TLS site, found by the name that the client asks for:', command: get(sites[0]) },
    { what: 'Another one on the same port:', command: get(sites[1]) },
    {
      what: 'The certificate is the site’s own: the proxy forwards bytes that it cannot read:',
      command: `openssl s_client -connect 127.0.0.1:${tls} -servername ${sites[1]} -CAfile ${ca} -brief </dev/null`,
    },
    { what: 'Plain TCP, an echo:', command: echoCommand(portOf('echo')) },
    {
      what: 'What was counted, and why connections ended:',
      command: `${smartproxy} status --admin ${admin}`,
    },
    { what: 'The newest that ended:', command: `${smartproxy} connections --ended --admin ${admin}` },
    {
      what: 'Which route wins, and why the others do not:',
      command: `${smartproxy} explain tls://${sites[1]}:${tls} --admin ${admin}`,
    },
    { what: 'The same by HTTP:', command: `curl ${admin}/api/v1/statistics` },
  ];
}

/** People read it on the terminal; where stdout is the JSON log, on stderr. */
function showSteps(steps: readonly Step[]): void {
  const lines = steps.flatMap(({ what, command }) => [what, `  ${command}`, '']);
  const text = ['', 'SmartProxy runs. In another terminal, try:', '', ...lines, 'Ctrl-C ends it.', ''].join(
    '\n',
  );
  (process.stdout.isTTY ? process.stdout : process.stderr).write(text);
}

/** Where netcat is missing, bash can connect by itself. */
function echoCommand(port: number): string {
  if (findsOnPath('nc', () => true)) return `echo hello | nc -w 1 127.0.0.1 ${port}`;
  return `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${port}; echo hello >&3; head -n 1 <&3'`;
}

/** How this program is started again: by its name where the PATH leads here. */
function ownCommand(): string {
  const script = realpathSync(process.argv[1] ?? '');
  const byName = findsOnPath('smartproxy', (file) => file === script);
  return byName ? 'smartproxy' : `${quote(process.execPath)} ${quote(script)}`;
}

/** Whether the first program of that name, with its links followed, is the right one. */
function findsOnPath(name: string, isRight: (file: string) => boolean): boolean {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
  return found !== undefined && isRight(realpathSync(found));
}

function quote(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
