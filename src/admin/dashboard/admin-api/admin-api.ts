import type { TokenStore } from './token-store.ts';

/** The longest that a call takes before it is given up. The stream has a deadline of its own. */
const answerWithinMs = 20_000;

interface Refusal {
  readonly code?: string;
  readonly message?: string;
}

/** What the admin API refused, in its own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The admin API that this page came from. */
export class AdminApi {
  readonly #tokens: TokenStore;

  constructor(tokens: TokenStore) {
    this.#tokens = tokens;
  }

  /** Rejects with ApiError, or with what `fetch` says where nobody answers. */
  async get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
    return (await this.#call('GET', path, signal)) as Answer;
  }

  async delete(path: string): Promise<void> {
    await this.#call('DELETE', path);
  }

  /** The answer with its body unread. */
  async open(path: string, signal: AbortSignal): Promise<Response> {
    const answer = await fetch(path, { headers: this.#headers(), signal, cache: 'no-store' });
    if (!answer.ok) throw await this.#refusal(answer);
    return answer;
  }

  async #call(method: string, path: string, signal?: AbortSignal): Promise<unknown> {
    const deadline = AbortSignal.timeout(answerWithinMs);
    const answer = await fetch(path, {
      method,
      headers: { ...this.#headers(), 'content-type': 'application/json' },
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      cache: 'no-store',
    });
    if (!answer.ok) throw await this.#refusal(answer);
    return answer.json();
  }

  #headers(): Record<string, string> {
    const { token } = this.#tokens;
    return token === null ? {} : { authorization: `Bearer ${token}` };
  }

  async #refusal(answer: Response): Promise<ApiError> {
    if (answer.status === 401) this.#tokens.refused();
    const { error } = (await answer.json().catch(() => ({}))) as { error?: Refusal };
    return new ApiError(answer.status, error?.code ?? 'unknown', error?.message ?? `HTTP ${answer.status}`);
  }
}

/** What to tell people of a call that failed. */
export function failureText(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'no answer in time';
  return 'the admin API cannot be reached';
}
