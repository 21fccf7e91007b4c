/** Pebble, Let's Encrypt's small authority for tests, with the DNS that it believes in. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { systemClock } from '../../src/base/clock.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import { programPath } from './debian.ts';
import { freePort, type RunningProgram, type Workspace, waitUntil } from './workspace.ts';

export interface PebbleOptions {
  /** Where it comes for HTTP-01 and TLS-ALPN-01. Default: nobody listens there. */
  httpPort?: number;
  tlsPort?: number;
  /** Percent of good nonces that it refuses. Default 20. */
  badNonces?: number;
  /** Seconds that a validation may take. Default: none. */
  slowness?: number;
  /** Days that its certificates are valid. Default 90. */
  validityDays?: number;
  /** Names that it refuses. */
  blocked?: readonly string[];
  /** Accounts need one of these. */
  accountKeys?: Readonly<Record<string, string>>;
  /** Every proof is good, and nobody is asked for it. */
  alwaysValid?: boolean;
}

export class Pebble {
  readonly directory: string;
  /** What it proves itself with. */
  readonly rootFile: string;
  readonly httpPort: number;
  readonly tlsPort: number;
  readonly dnsPort: number;
  readonly program: RunningProgram;
  readonly #root: string;
  readonly #managementPort: number;
  readonly dnsManagementPort: number;

  private constructor(parts: {
    ports: Ports;
    rootFile: string;
    program: RunningProgram;
  }) {
    const { ports, rootFile, program } = parts;
    this.directory = `https://localhost:${ports.acme}/dir`;
    this.rootFile = rootFile;
    this.httpPort = ports.http;
    this.tlsPort = ports.tls;
    this.dnsPort = ports.dns;
    this.program = program;
    this.#root = readFileSync(rootFile, 'utf8');
    this.#managementPort = ports.management;
    this.dnsManagementPort = ports.dnsManagement;
  }

  static async start(workspace: Workspace, options: PebbleOptions = {}): Promise<Pebble> {
    const ports = await choosePorts(options);
    const rootFile = await writeIdentity(workspace);
    workspace.write('pebble.json', JSON.stringify({ pebble: configuration(workspace, ports, options) }));
    await startDns(workspace, ports);
    const program = workspace.start(
      programPath('pebble'),
      ['-config', workspace.path('pebble.json'), '-dnsserver', `127.0.0.1:${ports.dns}`, '-strict'],
      { env: { ...process.env, ...environment(options) } },
    );
    await program.says(/ACME directory available at/);
    return new Pebble({ ports, rootFile, program });
  }

  /** The root of what it issues, PEM. */
  async issuingRoot(): Promise<string> {
    return this.#get('/roots/0');
  }

  /** Certificates that it has issued so far, by its own log. */
  get issued(): number {
    return [...this.program.output.matchAll(/Issued certificate serial/g)].length;
  }

  /** Orders that it has been asked for so far. */
  get orders(): number {
    return [...this.program.output.matchAll(/Added order "/g)].length;
  }

  /** Sets or clears a TXT record. */
  async dns(what: 'set-txt' | 'clear-txt' | 'set-cname', body: object): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.dnsManagementPort}/${what}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`challtestsrv: HTTP ${answer.status}`);
  }

  #get(path: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const url = `https://localhost:${this.#managementPort}${path}`;
    const asking = request(url, { ca: this.#root, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    asking.on('error', reject).end();
    return promise;
  }
}

interface Ports {
  acme: number;
  management: number;
  http: number;
  tls: number;
  dns: number;
  dnsManagement: number;
}

async function choosePorts({ httpPort, tlsPort }: PebbleOptions): Promise<Ports> {
  return {
    acme: await freePort(),
    management: await freePort(),
    http: httpPort ?? (await freePort()),
    tls: tlsPort ?? (await freePort()),
    dns: await freePort(),
    dnsManagement: await freePort(),
  };
}

async function writeIdentity(workspace: Workspace): Promise<string> {
  const authority = await LocalAuthority.create({ clock: systemClock, name: 'Pebble’s own' });
  const { cert, key } = await authority.issue(['localhost']);
  workspace.write('pebble.crt', cert);
  workspace.write('pebble.key', key);
  return workspace.write('pebble-root.pem', authority.certificate);
}

function configuration(workspace: Workspace, ports: Ports, options: PebbleOptions): object {
  const { validityDays = 90, blocked = [], accountKeys } = options;
  return {
    listenAddress: `127.0.0.1:${ports.acme}`,
    managementListenAddress: `127.0.0.1:${ports.management}`,
    certificate: workspace.path('pebble.crt'),
    privateKey: workspace.path('pebble.key'),
    httpPort: ports.http,
    tlsPort: ports.tls,
    ocspResponderURL: '',
    externalAccountBindingRequired: accountKeys !== undefined,
    externalAccountMACKeys: accountKeys ?? {},
    domainBlocklist: blocked,
    certificateValidityPeriod: validityDays * 86_400,
  };
}

function environment({ badNonces = 20, slowness, alwaysValid }: PebbleOptions): NodeJS.ProcessEnv {
  return {
    PEBBLE_WFE_NONCEREJECT: String(badNonces),
    // Whether a proof is asked for again is not left to chance.
    PEBBLE_AUTHZREUSE: '0',
    ...(slowness === undefined ? { PEBBLE_VA_NOSLEEP: '1' } : { PEBBLE_VA_SLEEPTIME: String(slowness) }),
    ...(alwaysValid && { PEBBLE_VA_ALWAYS_VALID: '1' }),
  };
}

/** Every name is 127.0.0.1. */
async function startDns(workspace: Workspace, ports: Ports): Promise<void> {
  const args = [
    ...['-dns01', `127.0.0.1:${ports.dns}`, '-management', `127.0.0.1:${ports.dnsManagement}`],
    ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-http01', '', '-https01', '', '-tlsalpn01', ''],
  ];
  const server = workspace.start(programPath('pebble-challtestsrv'), args);
  await waitUntil('challtestsrv to listen', async () => {
    if (!server.running) throw new Error(`${server.name} ended:\n${server.output}`);
    const answer = await fetch(`http://127.0.0.1:${ports.dnsManagement}/dns-request-history`, {
      method: 'POST',
      body: JSON.stringify({ host: 'nobody.test' }),
    }).catch(() => undefined);
    return answer?.ok || undefined;
  });
}
