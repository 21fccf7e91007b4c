import type { Clock } from '../base/clock.ts';
import { SmartProxyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { AcmeServices } from '../certificates/acme/acme-services.ts';
import { AutomaticSource, type PreparedAutomatic } from '../certificates/acme/automatic-source.ts';
import { openLocalAuthority } from '../certificates/authority-folder.ts';
import { certificateRules } from '../certificates/certificate-source.ts';
import { LocalCertificates } from '../certificates/local-certificates.ts';
import { RouteCertificates } from '../certificates/route-certificates.ts';
import { SecureContexts } from '../certificates/secure-contexts.ts';
import { TargetContexts } from '../certificates/target-contexts.ts';
import type { ResolvedOptions } from '../config/resolved.ts';
import type { RouteIndex } from '../routing/route-index.ts';
import type { EngineConfiguration } from './engine.ts';

/** A configuration with everything loaded that it names. */
export interface LoadedConfiguration extends EngineConfiguration {
  readonly certificates: RouteCertificates;
  /** What it orders; null: nothing. */
  readonly automatic: PreparedAutomatic | null;
}

/** What ordering certificates needs of those who have the sockets, and who listens. */
export type OrderingServices = Pick<AcmeServices, 'port' | 'issued' | 'failed'>;

export interface LoaderServices {
  readonly clock: Clock;
  readonly log: Logger;
  readonly ordering: OrderingServices;
}

/** Loads what configurations name, and keeps what outlives a reload. */
export class ConfigurationLoader {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #contexts = new SecureContexts();
  /** Certificates that are ordered. */
  readonly automatic: AutomaticSource;
  #local: { readonly stateDirectory: string; readonly certificates: LocalCertificates } | null = null;

  constructor({ clock, log, ordering }: LoaderServices) {
    this.#clock = clock;
    this.#log = log;
    this.automatic = new AutomaticSource({
      ...{ clock, log, ...ordering },
      substitutes: { certificateFor: (name) => this.#substitute(name) },
      replaced: (before) => this.#contexts.forget(before),
    });
  }

  /** Rejects with SmartProxyError, naming the route, where a certificate cannot be used. */
  async load(options: ResolvedOptions, index: RouteIndex): Promise<LoadedConfiguration> {
    const targetContexts = await TargetContexts.load(options.routes);
    const rules = certificateRules(options.routes);
    const local = this.#localCertificates(options.stateDirectory);
    const automatic = await this.automatic.prepare(options.certificates, rules);
    try {
      const certificates = await RouteCertificates.load({
        ...{ rules, local, contexts: this.#contexts, clock: this.#clock, log: this.#log },
        ...(automatic !== null && { automatic: automatic.certificates }),
      });
      const challenges = automatic?.certificates.answers ?? null;
      return { options, index, certificates, targetContexts, automatic, challenges };
    } catch (error) {
      this.automatic.discard(automatic);
      throw error;
    }
  }

  /** What is shown in the place of a certificate that is not there yet. */
  #substitute(name: string) {
    const local = this.#local?.certificates;
    return (
      local?.certificateFor(name) ??
      new SmartProxyError('certificate-unavailable', `nothing serves ${name}`, { source: 'proxy' })
    );
  }

  #localCertificates(stateDirectory: string): LocalCertificates {
    if (this.#local?.stateDirectory !== stateDirectory) {
      const clock = this.#clock;
      const log = this.#log;
      const authority = () => openLocalAuthority({ stateDirectory, clock, log });
      this.#local = { stateDirectory, certificates: new LocalCertificates({ clock, log, authority }) };
    }
    return this.#local.certificates;
  }
}
