/** Certificates of routes, as a proxy puts them together. */
import { X509Certificate } from 'node:crypto';
import type { TestContext } from 'node:test';
import type tls from 'node:tls';
import { systemClock } from '../../src/base/clock.ts';
import { openLocalAuthority } from '../../src/certificates/authority-folder.ts';
import type { AutomaticCertificates, CertificateRule } from '../../src/certificates/certificate-source.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import { LocalCertificates } from '../../src/certificates/local-certificates.ts';
import { RouteCertificates } from '../../src/certificates/route-certificates.ts';
import { SecureContexts } from '../../src/certificates/secure-contexts.ts';
import type { ResolvedCertificate, ResolvedTls } from '../../src/config/resolved.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { Workspace } from '../support/workspace.ts';
import { TerminatingServer } from './terminating-server.ts';

/** Stands for an authority that users have certificates from. */
export const authority = await LocalAuthority.create({ clock: systemClock, name: 'Users’ authority' });
export const ca = authority.certificate;

export interface Settings {
  certificate?: 'auto' | 'local' | { certFile: string; keyFile: string } | { cert: string; key: string };
  clientAuth?: { ca: string };
}

/** What a route says of certificates. */
export function rule(domains: readonly string[] | null, settings: Settings): CertificateRule {
  const ports = [{ from: 443, to: 443 }];
  return { route: domains?.join() ?? 'any', domains, ports, tls: resolvedTls(settings) };
}

function resolvedTls({ certificate, clientAuth }: Settings): ResolvedTls {
  return {
    certificate: resolvedCertificate(certificate),
    clientAuth: clientAuth === undefined ? null : { ...clientAuth, required: true },
    alpn: [],
    minVersion: 'TLSv1.2',
  };
}

function resolvedCertificate(certificate: Settings['certificate']): ResolvedCertificate {
  if (certificate === undefined) return { from: 'default' };
  if (typeof certificate === 'string') return { from: certificate };
  return 'cert' in certificate ? { from: 'inline', ...certificate } : { from: 'files', ...certificate };
}

/** What a proxy has beside its routes, with a clock that can be moved on. */
export class Rig {
  readonly workspace: Workspace;
  readonly clock = new SkippingClock();
  readonly log = new RecordingLog();
  readonly contexts = new SecureContexts();
  readonly local: LocalCertificates;

  constructor(context: TestContext) {
    this.workspace = Workspace.of(context, 'routes');
    const options = { stateDirectory: this.workspace.path('state'), clock: this.clock, log: this.log };
    this.local = new LocalCertificates({ ...options, authority: () => openLocalAuthority(options) });
  }

  async load(rules: CertificateRule[], automatic?: AutomaticCertificates): Promise<RouteCertificates> {
    const { contexts, local, clock, log } = this;
    const given = automatic === undefined ? {} : { automatic };
    const source = await RouteCertificates.load({ rules, contexts, local, clock, log, ...given });
    this.workspace.onEnd(() => source.close());
    return source;
  }

  async serve(rules: CertificateRule[], options: tls.TlsOptions = {}): Promise<TerminatingServer> {
    return new TerminatingServer(await this.load(rules), rules, options).listen(this.workspace);
  }

  /** Issues a certificate and writes it to `a.pem` and `a.key`. Returns its serial number. */
  async write(name: string): Promise<string> {
    const { cert, key } = await authority.issue([name]);
    this.workspace.write('a.pem', cert);
    this.workspace.write('a.key', key);
    return new X509Certificate(cert).serialNumber;
  }

  get files(): { certFile: string; keyFile: string } {
    return { certFile: this.workspace.path('a.pem'), keyFile: this.workspace.path('a.key') };
  }
}

/** A certificate of the users’ authority. */
export async function inline(name: string): Promise<{ cert: string; key: string }> {
  return authority.issue([name]);
}
