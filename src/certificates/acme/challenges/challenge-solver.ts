import { request } from 'node:http';
import type { Clock } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { DnsHook } from '../../../config/resolved.ts';
import { dnsValue } from '../protocol/account-key.ts';
import { AcmeError } from '../protocol/acme-error.ts';
import { challengePath, type Proof } from './challenge-answers.ts';
import { untilVisible } from './dns-visibility.ts';
import type { PendingChallenges } from './pending-challenges.ts';
import { challengeCertificate } from './shared-answers.ts';

/** The place where HTTP-01 is asked. Whoever has the sockets implements it. */
export interface ChallengePort {
  /**
   * Sees to it that somebody of ours listens there. Returns how it is given back; who opens it twice
   * gives it back twice. Rejects with why nobody can.
   */
  open(port: number): Promise<() => void>;
}

export interface ChallengeSolverOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly pending: PendingChallenges;
  readonly port: ChallengePort;
  /** Where HTTP-01 is asked: 80 but for private authorities. */
  readonly httpPort: number;
  readonly dns: DnsHook | null;
  readonly dnsServers: readonly string[] | null;
}

/** Takes a proof back. Never rejects. */
export type Withdraw = () => Promise<void>;

/** How long another process may take to answer for us. */
const probeMs = 5_000;

/** Puts proofs where authorities look for them, and takes them back. */
export class ChallengeSolver {
  readonly #options: ChallengeSolverOptions;

  constructor(options: ChallengeSolverOptions) {
    this.#options = options;
  }

  /** Resolves once the authority may look. Rejects with `challenge-unavailable`, or `acme-interrupted`. */
  present(proof: Proof, signal: AbortSignal): Promise<Withdraw> {
    switch (proof.type) {
      case 'http-01':
        return this.#presentHttp(proof);
      case 'tls-alpn-01':
        return this.#presentTls(proof);
      case 'dns-01':
        return this.#presentDns(proof, signal);
    }
  }

  async #presentHttp(proof: Proof): Promise<Withdraw> {
    const { pending } = this.#options;
    const forget = pending.addHttp(proof.name, proof.token, proof.keyAuthorization);
    try {
      const close = await this.#openPort(proof);
      return async () => {
        forget();
        close();
      };
    } catch (error) {
      forget();
      throw error;
    }
  }

  /** A port that another process has is good enough where that process answers for us. */
  async #openPort(proof: Proof): Promise<() => void> {
    const { port, httpPort, clock } = this.#options;
    try {
      return await port.open(httpPort);
    } catch (error) {
      if (await answersForUs(proof, httpPort, clock)) return () => {};
      throw new AcmeError('challenge-unavailable', `HTTP-01: ${errorMessage(error)}`, { cause: error });
    }
  }

  async #presentTls({ name, keyAuthorization }: Proof): Promise<Withdraw> {
    const { pending, clock } = this.#options;
    const forget = pending.addTls(name, await challengeCertificate(name, keyAuthorization, clock));
    return async () => forget();
  }

  async #presentDns({ name, keyAuthorization }: Proof, signal: AbortSignal): Promise<Withdraw> {
    const { dns, dnsServers, clock, log } = this.#options;
    if (dns === null) {
      throw new AcmeError('challenge-unavailable', 'DNS-01 needs certificates.acme.dns');
    }
    const record = `_acme-challenge.${name}`;
    const value = dnsValue(keyAuthorization);
    const withdraw = async (): Promise<void> => {
      await dns.remove(record, value).catch((error) => {
        log.warn('dns-record-left', { record, error: errorMessage(error) });
      });
    };
    try {
      await dns.present(record, value);
      await untilVisible(record, value, { clock, log, servers: dnsServers }, signal);
      return withdraw;
    } catch (error) {
      await withdraw();
      throw error;
    }
  }
}

/** Whether whoever has the port gives the answer that the authority waits for: it may share our store. */
function answersForUs(
  { name, token, keyAuthorization }: Proof,
  port: number,
  clock: Clock,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const asking = request({
    host: '127.0.0.1',
    port,
    path: challengePath(token),
    headers: { host: name },
    agent: false,
  });
  const late = clock.setTimer(probeMs, () => asking.destroy(new Error('no answer')));
  asking.on('error', () => resolve(false));
  asking.on('response', (response) => {
    let text = '';
    response.setEncoding('latin1');
    response.on('data', (part: string) => {
      text += part;
      if (text.length > keyAuthorization.length + 64) asking.destroy();
    });
    response.on('error', () => resolve(false));
    response.on('close', () => resolve(response.statusCode === 200 && text.trim() === keyAuthorization));
  });
  asking.end();
  return promise.finally(() => late.cancel());
}
