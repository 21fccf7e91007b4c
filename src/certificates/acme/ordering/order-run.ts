import { createPrivateKey } from 'node:crypto';
import type { Clock } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { coversName } from '../../certificate.ts';
import { checkCertificate } from '../../pem.ts';
import type { ChallengeType } from '../challenges/challenge-answers.ts';
import type { ChallengeSolver } from '../challenges/challenge-solver.ts';
import type { AcmeClient, Polled } from '../protocol/acme-client.ts';
import { AcmeError } from '../protocol/acme-error.ts';
import {
  generateCertificateKey,
  type KeyType,
  writeCertificateRequest,
} from '../protocol/certificate-request.ts';
import { pollDelays, untilSettled } from '../protocol/polling.ts';
import { describeProblem, invalidAnswer, type Order, problemType } from '../protocol/resources.ts';
import type { CertificateStore } from '../store/certificate-store.ts';
import type { PendingOrder } from '../store/stored-documents.ts';
import { Authorizations } from './authorizations.ts';
import { findLostOrder } from './lost-order.ts';

/** What is ordered, and how. */
export interface OrderJob {
  /** In the store. */
  readonly id: string;
  readonly names: readonly string[];
  readonly challenge: ChallengeType;
  readonly keyType: KeyType;
  readonly profile: string | null;
  /** RFC 9773 §5; null: the certificate is the first, or the authority does not ask. */
  readonly replaces: string | null;
}

export interface OrderServices {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: CertificateStore;
  readonly solver: ChallengeSolver;
}

/** An order is given up after a week: authorities forget theirs about then. */
const orderLivesMs = 7 * 86_400_000;

/**
 * One order from its beginning to the certificate (RFC 8555 §7.4). What is known of it is kept in
 * the store before each step, so that after a crash it is taken up and not made again.
 *
 *   [kept order] or newOrder ─▶ authorizations ─▶ ready ─▶ finalize ─▶ valid ─▶ chain
 */
export class OrderRun {
  readonly #client: AcmeClient;
  readonly #directory: string;
  readonly #services: OrderServices;
  readonly #job: OrderJob;
  readonly #signal: AbortSignal;

  constructor(
    client: AcmeClient,
    directory: string,
    services: OrderServices,
    job: OrderJob,
    signal: AbortSignal,
  ) {
    this.#client = client;
    this.#directory = directory;
    this.#services = services;
    this.#job = job;
    this.#signal = signal;
  }

  /** Rejects with AcmeError, or an error of the store. The order stays kept until `finished`. */
  async run(): Promise<{ cert: string; key: string }> {
    const kept = await this.#takeUp();
    const { pending, order } = kept ?? (await this.#begin());
    try {
      const ready = order.status === 'pending' ? await this.#authorize(pending, order) : order;
      const valid = await this.#finalize(pending, ready);
      return await this.#fetch(pending, valid);
    } catch (error) {
      if (isOver(error)) await this.#services.store.removeOrder(this.#job.id).catch(() => {});
      throw error;
    }
  }

  /** The certificate is in the store, or will not be. */
  finished(): Promise<void> {
    return this.#services.store.removeOrder(this.#job.id);
  }

  /** An order that was begun before, where it can still come to a certificate. */
  async #takeUp(): Promise<{ pending: PendingOrder; order: Order } | null> {
    const { store, clock, log } = this.#services;
    const { id, names } = this.#job;
    const pending = await store.readOrder(id);
    if (pending === null || pending.directory !== this.#directory) return null;
    const isSame = JSON.stringify(pending.names) === JSON.stringify(names);
    const isOld = clock.wallTime() - Date.parse(pending.startedAt) > orderLivesMs;
    if (!isSame || isOld) return null;
    const found = pending.url === '' ? await this.#findLost() : await this.#find(pending.url);
    if (found === null) return null;
    const { url, order } = found;
    if (url !== pending.url) await store.updateOrder(id, { ...pending, url });
    log.info('acme-order-taken-up', { names, order: url, status: order.status });
    return { pending: { ...pending, url }, order };
  }

  #findLost(): Promise<{ url: string; order: Order } | null> {
    return findLostOrder(this.#client, this.#job.names, this.#signal);
  }

  async #find(url: string): Promise<{ url: string; order: Order } | null> {
    try {
      const { resource: order } = await this.#client.order(url, this.#signal);
      return order.status === 'invalid' ? null : { url, order };
    } catch (error) {
      if (isForgotten(error)) return null;
      throw error;
    }
  }

  async #begin(): Promise<{ pending: PendingOrder; order: Order }> {
    const { store, clock, log } = this.#services;
    const { id, names, keyType } = this.#job;
    const key = await generateCertificateKey(keyType);
    const startedAt = new Date(clock.wallTime()).toISOString();
    const unsent = { directory: this.#directory, url: '', names: [...names], startedAt, key, proofs: [] };
    // A store that cannot be written shows here, and not when the authority has worked already.
    await store.beginOrder(id, unsent);
    const { url, order } = await this.#newOrder();
    const pending = { ...unsent, url };
    await store.updateOrder(id, pending);
    log.debug('acme-order-made', { names, order: url });
    return { pending, order };
  }

  /** RFC 9773 §5: what was replaced already, or is not known, is no reason not to renew. */
  async #newOrder(): Promise<{ url: string; order: Order }> {
    const { names, replaces, profile } = this.#job;
    try {
      return await this.#client.newOrder({ names, replaces, profile }, this.#signal);
    } catch (error) {
      if (replaces === null || !(error instanceof AcmeError) || error.code !== 'acme-refused') throw error;
      this.#services.log.info('acme-replaces-refused', { names, error: errorMessage(error) });
      return this.#client.newOrder({ names, replaces: null, profile }, this.#signal);
    }
  }

  async #authorize(pending: PendingOrder, order: Order): Promise<Order> {
    const { store, solver, clock } = this.#services;
    const { id, challenge } = this.#job;
    const authorizations = new Authorizations(this.#client, { clock, solver }, challenge, this.#signal);
    await authorizations.settle(order.authorizations, (proofs) =>
      store.updateOrder(id, { ...pending, proofs: [...proofs] }),
    );
    return this.#poll(pending.url, ({ status }) => status !== 'pending');
  }

  async #finalize({ url, key }: PendingOrder, order: Order): Promise<Order> {
    if (order.status === 'invalid') throw this.#invalid(order);
    if (order.status === 'ready') await this.#askFor(url, key, order);
    const settled = await this.#poll(url, ({ status }) => status === 'valid' || status === 'invalid');
    if (settled.status === 'invalid') throw this.#invalid(settled);
    return settled;
  }

  /** What was sent before a crash may arrive only now: then the order is on its way already. */
  async #askFor(url: string, key: string, { finalize }: Order): Promise<void> {
    const request = await writeCertificateRequest(createPrivateKey(key), this.#job.names);
    try {
      await this.#client.finalize(finalize, request, this.#signal);
    } catch (error) {
      if (!(error instanceof AcmeError) || error.type !== 'orderNotReady') throw error;
      const { resource: order } = await this.#client.order(url, this.#signal);
      if (order.status === 'pending' || order.status === 'ready') throw error;
    }
  }

  #poll(url: string, isDone: (order: Order) => boolean): Promise<Order> {
    const ask = (): Promise<Polled<Order>> => this.#client.order(url, this.#signal);
    return untilSettled(ask, isDone, pollDelays, this.#services.clock, this.#signal);
  }

  async #fetch({ key }: PendingOrder, order: Order): Promise<{ cert: string; key: string }> {
    if (order.certificate === undefined) throw invalidAnswer(this.#directory, 'its order has no certificate');
    const cert = await this.#client.certificate(order.certificate, this.#signal);
    const { certificate } = this.#checked(cert, key);
    const missing = this.#job.names.filter((name) => !coversName(certificate, name));
    if (missing.length > 0) {
      throw invalidAnswer(this.#directory, `its certificate is not for ${missing.join(', ')}`);
    }
    return { cert, key };
  }

  #checked(cert: string, key: string) {
    const names = { cert: 'the certificate that was issued', key: 'the key that it was asked for with' };
    try {
      return checkCertificate({ cert, key }, this.#services.clock.wallTime(), names);
    } catch (error) {
      throw invalidAnswer(this.#directory, errorMessage(error));
    }
  }

  #invalid({ error }: Order): AcmeError {
    const why = error === undefined ? 'no reason was given' : describeProblem(error);
    const type = error === undefined ? null : problemType(error);
    return new AcmeError('acme-refused', `${new URL(this.#directory).host}: the order failed: ${why}`, {
      type,
    });
  }
}

/** The authority does not know the order any more; that it knows no account is another matter. */
function isForgotten(error: unknown): boolean {
  if (!(error instanceof AcmeError) || error.type === 'accountDoesNotExist') return false;
  return error.code === 'acme-refused' || error.status === 404;
}

/** Whether an order can come to nothing any more, so that the next attempt makes a new one. */
function isOver(error: unknown): boolean {
  if (!(error instanceof AcmeError)) return false;
  return (
    error.code === 'acme-refused' ||
    error.code === 'acme-validation-failed' ||
    error.code === 'acme-invalid-answer'
  );
}
