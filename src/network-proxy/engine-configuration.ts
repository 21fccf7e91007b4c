import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
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
}

/** Loads what configurations name, and keeps what outlives a reload. */
export class ConfigurationLoader {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #contexts = new SecureContexts();
  #local: { readonly stateDirectory: string; readonly certificates: LocalCertificates } | null = null;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Rejects with SmartProxyError, naming the route, where a certificate cannot be used. */
  async load(options: ResolvedOptions, index: RouteIndex): Promise<LoadedConfiguration> {
    const targetContexts = await TargetContexts.load(options.routes);
    const certificates = await RouteCertificates.load({
      rules: certificateRules(options.routes),
      contexts: this.#contexts,
      local: this.#localCertificates(options.stateDirectory),
      clock: this.#clock,
      log: this.#log,
    });
    return { options, index, certificates, targetContexts };
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
