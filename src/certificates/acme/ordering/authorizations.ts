import type { Clock } from '../../../base/clock.ts';
import type { ChallengeType, Proof } from '../challenges/challenge-answers.ts';
import type { ChallengeSolver, Withdraw } from '../challenges/challenge-solver.ts';
import type { AcmeClient } from '../protocol/acme-client.ts';
import { AcmeError } from '../protocol/acme-error.ts';
import { pollDelays, untilSettled } from '../protocol/polling.ts';
import { type Authorization, type Challenge, describeProblem, problemType } from '../protocol/resources.ts';

export interface AuthorizationServices {
  readonly clock: Clock;
  readonly solver: ChallengeSolver;
}

/** The authorizations of one order, proved one after the other: a record in DNS may have two values, for a name and its wildcard. */
export class Authorizations {
  readonly #client: AcmeClient;
  readonly #services: AuthorizationServices;
  readonly #type: ChallengeType;
  readonly #signal: AbortSignal;

  constructor(client: AcmeClient, services: AuthorizationServices, type: ChallengeType, signal: AbortSignal) {
    this.#client = client;
    this.#services = services;
    this.#type = type;
    this.#signal = signal;
  }

  /**
   * Resolves once all are valid.
   * @param keep told of each proof before the authority is, and of none when it is over
   */
  async settle(urls: readonly string[], keep: (proofs: readonly Proof[]) => Promise<void>): Promise<void> {
    for (const url of urls) {
      const { resource } = await this.#client.authorization(url, this.#signal);
      if (resource.status === 'valid') continue;
      if (resource.status !== 'pending') throw failed(resource);
      await this.#prove(url, resource, keep);
    }
  }

  async #prove(
    url: string,
    authorization: Authorization,
    keep: (proofs: readonly Proof[]) => Promise<void>,
  ): Promise<void> {
    const challenge = this.#chosen(authorization);
    const { token = '' } = challenge;
    const name = authorization.identifier.value.toLowerCase();
    const keyAuthorization = this.#client.key.keyAuthorization(token);
    const proof = { name, type: this.#type, token, keyAuthorization };
    let withdraw: Withdraw | null = null;
    try {
      await keep([proof]);
      withdraw = await this.#services.solver.present(proof, this.#signal);
      if (challenge.status === 'pending') await this.#client.answerChallenge(challenge.url, this.#signal);
      const settled = await untilSettled(
        () => this.#client.authorization(url, this.#signal),
        ({ status }) => status !== 'pending',
        pollDelays,
        this.#services.clock,
        this.#signal,
      );
      if (settled.status !== 'valid') throw failed(settled);
    } finally {
      await withdraw?.();
      await keep([]).catch(() => {});
    }
  }

  #chosen({ challenges, identifier }: Authorization): Challenge {
    const found = challenges.find(({ type, token }) => type === this.#type && token !== undefined);
    if (found !== undefined) return found;
    const offered = challenges.map(({ type }) => type).join(', ');
    throw new AcmeError(
      'challenge-unavailable',
      `the authority does not offer ${this.#type} for ${identifier.value}, only ${offered || 'nothing'}`,
    );
  }
}

function failed({ identifier, challenges, status }: Authorization): AcmeError {
  const problem = challenges.find(({ error }) => error !== undefined)?.error;
  const why = problem === undefined ? `the authorization is ${status}` : describeProblem(problem);
  const type = problem === undefined ? null : problemType(problem);
  return new AcmeError('acme-validation-failed', `${identifier.value}: ${why}`, { type });
}
