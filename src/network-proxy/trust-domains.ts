import type { ResolvedTls } from '../config/resolved.ts';
import type { TicketKeys } from './ticket-keys.ts';
import { TrustDomain } from './trust-domain.ts';

/**
 * Every trust domain, by what it asks of clients: with certificates, by the authorities themselves
 * and not by the file that they are in, so that a changed file begins a new one.
 */
export class TrustDomains {
  readonly #tickets: TicketKeys;
  readonly #domains = new Map<string, TrustDomain>();
  /** What was found for settings, which are the same object for all connections of a site. */
  #known = new WeakMap<ResolvedTls, { authorities: string | null; domain: TrustDomain }>();

  constructor(tickets: TicketKeys) {
    this.#tickets = tickets;
  }

  /** @param authorities PEM of those whose client certificates are accepted; null where nobody is asked */
  of(tls: ResolvedTls, authorities: string | null): TrustDomain {
    const known = this.#known.get(tls);
    if (known !== undefined && known.authorities === authorities) return known.domain;
    const key = JSON.stringify([authorities, tls.clientAuth?.required ?? null, tls.minVersion]);
    const domain = this.#domains.get(key) ?? new TrustDomain(key, tls, this.#tickets);
    this.#domains.set(key, domain);
    this.#known.set(tls, { authorities, domain });
    return domain;
  }

  /** After a reload: those that are still wanted are made again, with the same ticket keys. */
  clear(): void {
    this.#domains.clear();
    this.#known = new WeakMap();
  }
}
