import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { type IssuedCertificate, LocalAuthority } from '../certificates/local-authority.ts';
import { processEnvironment } from '../config/environment.ts';
import type { ForwardAction, Route, SmartProxyOptions } from '../config/schema.ts';
import type { SmartProxy } from '../smart-proxy/smart-proxy.ts';
import { type DemoBackend, startApplication, startEcho, startSite } from './demo-backends.ts';
import { withLog } from './run.ts';
import { serve } from './serve.ts';

/** Nobody is to trust a demonstration for longer. */
const authorityValidityMs = 7 * 86_400_000;
/** Their TLS goes through untouched, and ends there. */
const sites = ['one.localhost', 'two.localhost'] as const;
/** Its TLS ends at the proxy. */
const application = 'app.localhost';

/** `smartproxy demo`: sites by name, an application and an echo service behind one proxy, until a signal ends it. */
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
    backends.push(await startEcho(), await startApplication());
    const ports = backends.map(({ port }) => port);
    const certificate = await authority.issue([application]);
    await withLog((log) =>
      serve({
        input: { ...demoOptions(ports, certificate), stateDirectory: folder },
        file: null,
        log,
        environment: processEnvironment(),
        onReady: (proxy) => {
          const steps = whatToTry(proxy, authorityFile);
          const pages = whatToOpen(proxy, authorityFile);
          if (!process.stdout.isTTY) {
            log.info('demo', { try: steps.map(({ text }) => text), pages: pages.map(({ text }) => text) });
          }
          showSteps(steps, pages);
        },
      }),
    );
  } finally {
    for (const backend of backends) backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function demoOptions(
  [one = 0, two = 0, echo = 0, app = 0]: readonly number[],
  certificate: IssuedCertificate,
): SmartProxyOptions {
  const match = { ports: 0, address: '127.0.0.1' };
  const route = (name: string, port: number, tls: ForwardAction['tls']): Route => ({
    name,
    match: { ...match, ...(tls !== undefined && { domains: name }) },
    action: { type: 'forward', target: { host: '127.0.0.1', port }, ...(tls !== undefined && { tls }) },
  });
  return {
    routes: [
      route(sites[0], one, { mode: 'passthrough' }),
      route(sites[1], two, { mode: 'passthrough' }),
      route(application, app, { mode: 'terminate', certificate }),
      route('echo', echo, undefined),
    ],
    admin: { listen: '127.0.0.1:0' },
  };
}

/** A command, or the address of a page. */
interface Step {
  what: string;
  text: string;
}

/** Commands that work as they stand, in any shell and folder. */
function whatToTry(proxy: SmartProxy, authorityFile: string): Step[] {
  const tls = portOf(proxy, sites[0]);
  const admin = proxy.adminAddress ?? '';
  const ca = quote(authorityFile);
  const smartproxy = ownCommand();
  const get = (name: string, path = '/', version = ''): string =>
    `curl ${version}--cacert ${ca} --connect-to ${name}:443:127.0.0.1:${tls} https://${name}${path}`;
  return [
    { what: 'A TLS site, found by the name that the client asks for:', text: get(sites[0]) },
    { what: 'Another one on the same port:', text: get(sites[1]) },
    {
      what: 'The certificate is the site’s own: the proxy forwards bytes that it cannot read:',
      text: `openssl s_client -connect 127.0.0.1:${tls} -servername ${sites[1]} -CAfile ${ca} -brief </dev/null`,
    },
    {
      what: 'An application whose TLS ends at the proxy, by HTTP/2:',
      text: get(application, '/headers', '--http2 --write-out "by HTTP/%{http_version}\\n" '),
    },
    { what: 'The same by HTTP/1.1:', text: get(application, '/headers', '--http1.1 ') },
    { what: 'Plain TCP, an echo:', text: echoCommand(portOf(proxy, 'echo')) },
    {
      what: 'What was counted, and why connections ended:',
      text: `${smartproxy} status --admin ${admin}`,
    },
    { what: 'The newest that ended:', text: `${smartproxy} connections --ended --admin ${admin}` },
    {
      what: 'Which route wins, and why the others do not:',
      text: `${smartproxy} explain tls://${sites[1]}:${tls} --admin ${admin}`,
    },
    { what: 'The same by HTTP:', text: `curl ${admin}/api/v1/statistics` },
  ];
}

/** For a browser. */
function whatToOpen(proxy: SmartProxy, authorityFile: string): Step[] {
  return [
    {
      what: 'The dashboard: who is connected, what moves, why connections end:',
      text: `${proxy.adminAddress}/`,
    },
    {
      what: `A page with a WebSocket (the browser warns of a certificate whose authority, ${authorityFile}, it does not know):`,
      text: `https://${application}:${portOf(proxy, application)}/`,
    },
  ];
}

function portOf(proxy: SmartProxy, route: string): number {
  return proxy.listeners().find(({ routes }) => routes.includes(route))?.port ?? 0;
}

/** People read it on the terminal; where stdout is the JSON log, on stderr. */
function showSteps(steps: readonly Step[], pages: readonly Step[]): void {
  const lines = (list: readonly Step[]) => list.flatMap(({ what, text }) => [what, `  ${text}`, '']);
  const text = [
    ...['', 'SmartProxy runs. In another terminal, try:', '', ...lines(steps)],
    ...['In a browser:', '', ...lines(pages), 'Ctrl-C ends it.', ''],
  ].join('\n');
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
