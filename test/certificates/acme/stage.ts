/** Proxies whose certificates come from an authority, and clients that verify them. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import tls from 'node:tls';
import type { CertificateStatus } from '../../../src/certificates/certificate-source.ts';
import type { AcmeOptions } from '../../../src/config/resolved.ts';
import type { Route, SmartProxyOptions } from '../../../src/config/schema.ts';
import type { SmartProxySurroundings } from '../../../src/smart-proxy/proxy-server.ts';
import { AcmeAuthority, type AuthorityOptions } from '../../support/authority/acme-authority.ts';
import { programPath } from '../../support/debian.ts';
import { eventually } from '../../support/eventually.ts';
import { ProxyFixture } from '../../support/proxy-fixture.ts';
import type { LogLine } from '../../support/recording-log.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { Workspace } from '../../support/workspace.ts';

type Acme = NonNullable<NonNullable<SmartProxyOptions['certificates']>['acme']>;

/** Whom to order from. */
export interface Authority {
  readonly directory: string;
  readonly rootFile: string;
  readonly httpPort: number;
  /** The root of what it issues, PEM. */
  issuingRoot(): Promise<string>;
}

/** An authority on a clock that can be moved on. */
export async function acmeStage(t: TestContext, options: Partial<AuthorityOptions> = {}) {
  const workspace = Workspace.of(t, 'acme');
  const clock = new SkippingClock();
  return { workspace, clock, authority: await AcmeAuthority.start(workspace, { clock, ...options }) };
}

/** A site that says its name, with a certificate that is ordered. */
export function site(name: string, port = 0): Route {
  return {
    name,
    match: { ports: port, address: '127.0.0.1', domains: name },
    action: { type: 'respond', status: 200, body: `${name} says hello`, tls: { certificate: 'auto' } },
  };
}

/** How to order from an authority. */
export function ordering(
  { directory, rootFile, httpPort }: Authority,
  more: Partial<AcmeOptions> = {},
): Acme {
  return { directories: [directory], rootFile, httpPort, ...more } as Acme;
}

export async function startProxy(
  workspace: Workspace,
  routes: Route[],
  acme: Acme,
  options: Partial<SmartProxyOptions> = {},
  surroundings: SmartProxySurroundings = {},
): Promise<ProxyFixture> {
  const stateDirectory = workspace.path('state');
  const certificates = { acme, ...options.certificates };
  return ProxyFixture.start(workspace, routes, { stateDirectory, ...options, certificates }, surroundings);
}

/** The lines of an event about a name, in order. */
export function told(fixture: ProxyFixture, event: string, name: string): LogLine[] {
  return fixture.log.lines.filter(
    (line) => line.event === event && (line.fields.names as string[] | undefined)?.includes(name),
  );
}

/** Waits until each name has had its certificate as often as that. */
export async function issued(fixture: ProxyFixture, names: readonly string[], times = 1): Promise<void> {
  const missing = (): string[] =>
    names.filter((name) => told(fixture, 'certificate-issued', name).length < times);
  const failures = (): unknown[] =>
    fixture.log.lines.filter(({ event }) => event === 'certificate-failed').map(({ fields }) => fields);
  // Hundreds take long where ten other things go on: what counts is that they come.
  for (let left = missing().length; left > 0; left = missing().length) {
    await eventually(
      () => `${left} more names have their certificate: ${missing()[0]}; ${JSON.stringify(failures())}`,
      () => missing().length < left,
    );
  }
  for (const name of names) assert.equal(told(fixture, 'certificate-issued', name).length, times, name);
}

/** What curl gets from a name, having verified the chain up to the authority's root. */
export async function curl(
  workspace: Workspace,
  authority: Authority,
  port: number,
  name: string,
): Promise<string> {
  const root = workspace.write('issuing-root.pem', await authority.issuingRoot());
  return workspace.run(programPath('curl'), [
    ...['--silent', '--show-error', '--fail', '--cacert', root],
    ...['--resolve', `${name}:${port}:127.0.0.1`, `https://${name}:${port}/`],
  ]);
}

/** Waits until a name could not be had as often as that; tells the last failure. */
export async function failed(
  fixture: ProxyFixture,
  name: string,
  times = 1,
): Promise<Record<string, unknown>> {
  const failures = () => told(fixture, 'certificate-failed', name);
  await eventually(
    () => `${name} has failed ${times} times: ${JSON.stringify(fixture.log.events())}`,
    () => failures().length >= times,
  );
  return failures()[times - 1]?.fields ?? {};
}

/** What is known of the certificate of a name. */
export function statusOf(fixture: ProxyFixture, name: string): CertificateStatus {
  const all = fixture.proxy.control.certificates() as CertificateStatus[];
  const found = all.find(({ names, source }) => source === 'auto' && names.includes(name));
  assert.ok(found, `there is no ${name}`);
  return found;
}

/** Who issued what a client is shown for a name; or how its handshake fails. */
export async function shown(port: number, servername: string): Promise<string> {
  const socket = tls.connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false });
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  socket.on('secureConnect', () => {
    const { issuer, valid_to } = socket.getPeerCertificate();
    resolve(`${String(issuer.CN).split(' ')[0]} ${valid_to}`);
  });
  const answer = await promise;
  socket.destroy();
  return answer;
}
