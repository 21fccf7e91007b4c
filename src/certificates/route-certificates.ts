import type { Clock } from '../base/clock.ts';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ResolvedTls } from '../config/resolved.ts';
import { type Certificate, coversName } from './certificate.ts';
import { CertificateFiles } from './certificate-files.ts';
import {
  type AutomaticCertificates,
  automaticMissing,
  type CertificateAnswer,
  type CertificateRule,
  type CertificateSource,
  type CertificateStatus,
  type ContextAnswer,
  type Handshake,
  sourceFor,
  statusOf,
} from './certificate-source.ts';
import type { LocalCertificates } from './local-certificates.ts';
import { type CheckedCertificate, loadCertificate, readPemFile } from './pem.ts';
import { type ContextOptions, contextOptions, type SecureContexts } from './secure-contexts.ts';

export interface RouteCertificatesOptions {
  /** Whose settings `contextFor` will be asked for. */
  rules: readonly CertificateRule[];
  /** Shared with the certificates before and after a reload. */
  contexts: SecureContexts;
  /** Shared likewise. */
  local: LocalCertificates;
  /** Without it `auto` is refused. */
  automatic?: AutomaticCertificates;
  clock: Clock;
  log: Logger;
}

/** TLS settings, with what they need loaded. */
interface LoadedSettings {
  readonly options: ContextOptions;
  /** The certificate that serves now; null: it depends on the name. */
  readonly fixed: (() => Certificate) | null;
}

/** The certificates of a configuration's routes: immutable but for the files, and closed after a reload. */
export class RouteCertificates implements CertificateSource {
  readonly #options: RouteCertificatesOptions;
  readonly #files: CertificateFiles;
  /** By their text: several routes may have the same. */
  readonly #inline = new Map<string, CheckedCertificate>();
  /** By what they say: equal settings of several routes are one. */
  readonly #settings = new Map<string, LoadedSettings>();
  /** The keys of `#settings`, which are long, by the objects that they were made of. */
  readonly #keys = new WeakMap<ResolvedTls, string>();

  private constructor(options: RouteCertificatesOptions) {
    this.#options = options;
    this.#files = new CertificateFiles({
      clock: options.clock,
      log: options.log,
      onReplaced: (before) => options.contexts.forget(before),
    });
  }

  /**
   * Loads and checks what the rules name, and opens the local authority if one may need it.
   * @throws SmartProxyError naming the route, with the code of what went wrong: those of
   *   `loadCertificate` and `openLocalAuthority`, or `certificate-unavailable` for `auto`
   */
  static async load(options: RouteCertificatesOptions): Promise<RouteCertificates> {
    const certificates = new RouteCertificates(options);
    try {
      for (const rule of options.rules) await certificates.#add(rule);
    } catch (error) {
      certificates.close();
      throw error;
    }
    return certificates;
  }

  contextFor(tls: ResolvedTls, handshake: Handshake): ContextAnswer | Promise<ContextAnswer> {
    const settings = this.#settings.get(this.#keyOf(tls));
    if (settings === undefined) return notLoaded(handshake);
    const certificate = this.#certificateOf(settings, tls, handshake);
    if (!(certificate instanceof Promise)) return this.#contextOf(certificate, settings.options);
    return certificate.then((issued) => this.#contextOf(issued, settings.options));
  }

  certificateFor(tls: ResolvedTls, handshake: Handshake): CertificateAnswer | Promise<CertificateAnswer> {
    const settings = this.#settings.get(this.#keyOf(tls));
    return settings === undefined ? notLoaded(handshake) : this.#certificateOf(settings, tls, handshake);
  }

  authoritiesFor(tls: ResolvedTls): string | null {
    return this.#settings.get(this.#keyOf(tls))?.options.clientCa ?? null;
  }

  list(): CertificateStatus[] {
    return [
      ...this.#files.list().map((file) => statusOf(file.certificate, 'files', file)),
      ...[...this.#inline.values()].map(({ certificate }) => statusOf(certificate, 'inline')),
      ...this.#options.local.list().map((certificate) => statusOf(certificate, 'local')),
      ...(this.#options.automatic?.list() ?? []),
    ];
  }

  /** Looks at files no more. What was given out goes on working. */
  close(): void {
    this.#files.close();
  }

  async #add(rule: CertificateRule): Promise<void> {
    try {
      const { clientAuth } = rule.tls;
      const clientCa = clientAuth === null ? null : await readAuthorities(clientAuth.ca);
      const fixed = await this.#prepare(rule);
      this.#settings.set(this.#keyOf(rule.tls), { options: contextOptions(clientCa), fixed });
    } catch (error) {
      throw namingRoute(rule.route, error);
    }
  }

  #keyOf(tls: ResolvedTls): string {
    const known = this.#keys.get(tls);
    if (known !== undefined) return known;
    const key = JSON.stringify([tls.certificate, tls.clientAuth]);
    this.#keys.set(tls, key);
    return key;
  }

  async #prepare(rule: CertificateRule): Promise<(() => Certificate) | null> {
    const setting = rule.tls.certificate;
    if (setting.from === 'files') {
      const { file, warnings } = await this.#files.add(setting.certFile, setting.keyFile);
      this.#warn(rule, file.certificate, warnings);
      return () => file.certificate;
    }
    if (setting.from === 'inline') {
      const known = this.#inline.get(setting.cert + setting.key);
      const loaded = known ?? (await loadCertificate(setting, this.#options.clock.wallTime()));
      this.#inline.set(setting.cert + setting.key, loaded);
      this.#warn(rule, loaded.certificate, known === undefined ? loaded.warnings : []);
      return () => loaded.certificate;
    }
    for (const pattern of rule.domains ?? [null]) {
      // Some of any names are local.
      const isAny = setting.from === 'default' && (pattern === null || pattern === '*');
      if (isAny || sourceFor(setting, pattern).from === 'local') await this.#options.local.prepare();
      else if (this.#options.automatic === undefined) throw automaticMissing(pattern);
    }
    return null;
  }

  /** Tells what clients may not like, once for each load. */
  #warn({ route, domains }: CertificateRule, certificate: Certificate, warnings: readonly string[]): void {
    const uncovered = (domains ?? []).filter((name) => name !== '*' && !coversName(certificate, name));
    const all = [...warnings];
    if (uncovered.length > 0) {
      all.push(
        `the certificate is for ${certificate.names.join(', ')}, not for ${uncovered.slice(0, 10).join(', ')}`,
      );
    }
    for (const warning of all) this.#options.log.warn('certificate-doubtful', { route, warning });
  }

  #certificateOf(
    { fixed }: LoadedSettings,
    { certificate }: ResolvedTls,
    { name, localAddress }: Handshake,
  ): CertificateAnswer | Promise<CertificateAnswer> {
    if (fixed !== null) return fixed();
    const wanted = name === null ? localAddress : normalized(name);
    if (wanted === null) return automaticMissing(null);
    if (sourceFor(certificate, wanted).from === 'local') {
      return this.#options.local.certificateFor(wanted);
    }
    return this.#options.automatic?.certificateFor(wanted) ?? automaticMissing(wanted);
  }

  #contextOf(certificate: CertificateAnswer, options: ContextOptions): ContextAnswer {
    return certificate instanceof SmartProxyError
      ? certificate
      : this.#options.contexts.get(certificate, options);
  }
}

/** Names as certificates have them: servers are told what the client wrote. */
function normalized(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/** A path, or PEM if it begins like it. Throws `certificate-unreadable` or `certificate-missing`. */
async function readAuthorities(ca: string): Promise<string> {
  const text = ca.startsWith('-----BEGIN') ? ca : await readPemFile(ca);
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new SmartProxyError(
    'certificate-missing',
    `clientAuth.ca has no certificate in PEM: ${ca.split('\n')[0]}`,
    {
      source: 'config',
    },
  );
}

function notLoaded({ name }: Handshake): SmartProxyError {
  const what = name === null ? 'no name' : JSON.stringify(name);
  return new SmartProxyError('certificate-unavailable', `no certificate is loaded for ${what}`, {
    source: 'proxy',
  });
}

function namingRoute(route: string, error: unknown): unknown {
  if (!(error instanceof SmartProxyError)) return error;
  const { code, source, retryable } = error;
  return new SmartProxyError(code, `route ${route}: ${errorMessage(error)}`, {
    source,
    retryable,
    cause: error,
  });
}
