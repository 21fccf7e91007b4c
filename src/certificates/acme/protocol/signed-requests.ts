import type { AccountKey } from './account-key.ts';
import { AcmeError, type AcmeErrorCode } from './acme-error.ts';
import type { AuthorityAnswer, AuthorityConnection } from './authority-connection.ts';
import { NoncePool } from './nonce-pool.ts';
import { describeProblem, invalidAnswer, problemType, readProblem } from './resources.ts';

/** RFC 8555 §6.5: a refused nonce says nothing about the request. Some authorities refuse one in five, or more. */
const maxNonceAttempts = 12;

export interface SignedRequest {
  readonly url: string;
  /** Null: POST-as-GET. */
  readonly payload: unknown;
  /** The account's address; null: there is none yet, and the key itself is sent. */
  readonly kid: string | null;
  readonly accept?: string;
}

/** Requests to one authority, signed with one key: nonces, and what an error answer means. */
export class SignedRequests {
  readonly #connection: AuthorityConnection;
  readonly #key: AccountKey;
  readonly #nonces = new NoncePool();

  constructor(connection: AuthorityConnection, key: AccountKey) {
    this.#connection = connection;
    this.#key = key;
  }

  /**
   * The answer, whose status is 2xx.
   * @param newNonce where nonces come from
   * @throws AcmeError: what the authority said, or that it cannot be reached
   */
  async post(request: SignedRequest, newNonce: string, signal: AbortSignal): Promise<AuthorityAnswer> {
    const payload = request.payload === null ? '' : JSON.stringify(request.payload);
    for (let attempt = 1; ; attempt++) {
      const nonce = this.#nonces.take() ?? (await this.#fetchNonce(newNonce, signal));
      const body = await this.#key.sign(payload, { url: request.url, nonce, kid: request.kid });
      const answer = await this.#connection.request(
        {
          method: 'POST',
          url: request.url,
          body,
          contentType: 'application/jose+json',
          ...(request.accept !== undefined && { accept: request.accept }),
        },
        signal,
      );
      const isRefused = answer.status >= 400 && problemType(readProblem(answer.text)) === 'badNonce';
      if (isRefused) this.#nonces.clear();
      this.#nonces.put(answer.headers['replay-nonce']);
      if (isRefused && attempt < maxNonceAttempts) continue;
      if (answer.status >= 200 && answer.status < 300) return answer;
      throw errorOf(answer, request.url, this.#connection.retryAfter(answer));
    }
  }

  async #fetchNonce(newNonce: string, signal: AbortSignal): Promise<string> {
    const answer = await this.#connection.request({ method: 'HEAD', url: newNonce }, signal);
    if (answer.status >= 400) throw errorOf(answer, newNonce, this.#connection.retryAfter(answer));
    this.#nonces.put(answer.headers['replay-nonce']);
    const nonce = this.#nonces.take();
    if (nonce === undefined) throw invalidAnswer(newNonce, 'it gives no nonce');
    return nonce;
  }
}

/** What an answer that is no success means. */
export function errorOf(answer: AuthorityAnswer, url: string, retryAfterMs: number | null): AcmeError {
  const { status, text } = answer;
  const problem = readProblem(text);
  const type = problemType(problem);
  const said = type === null && problem.detail === undefined ? `HTTP ${status}` : describeProblem(problem);
  const details = { type, status, retryAfterMs };
  return new AcmeError(codeOf(status, type), `${new URL(url).host}: ${said}`, details);
}

function codeOf(status: number, type: string | null): AcmeErrorCode {
  if (type === 'rateLimited' || status === 429) return 'acme-rate-limited';
  if (status >= 500 && (type === null || type === 'serverInternal')) return 'acme-unreachable';
  return type === null && (status < 400 || status === 404 || status === 405)
    ? 'acme-invalid-answer'
    : 'acme-refused';
}
