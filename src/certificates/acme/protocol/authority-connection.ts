import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import type { Clock } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';
import { AcmeError, interrupted } from './acme-error.ts';
import { retryAfterMs } from './retry-after.ts';

export interface AuthorityRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  /** JSON, for POST. */
  readonly body?: string;
  readonly contentType?: string;
  readonly accept?: string;
}

export interface AuthorityAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** From the first byte sent to the last one received, the dial included. */
const requestMs = 30_000;
/** Far more than any chain of certificates. */
const maxAnswerBytes = 1_048_576;
/** To one authority at once; what comes beyond it waits. */
const maxSockets = 8;

export interface AuthorityConnectionOptions {
  readonly clock: Clock;
  /** PEM of what is trusted beside the roots that Node knows; null: nothing. */
  readonly root: string | null;
  readonly userAgent: string;
}

/**
 * HTTPS with authorities: kept connections, a deadline and a bound for each answer. Redirects are not
 * followed, since a signed request says what it is for (RFC 8555 §6.4).
 */
export class AuthorityConnection {
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #agent: https.Agent;

  constructor({ clock, root, userAgent }: AuthorityConnectionOptions) {
    this.#clock = clock;
    this.#userAgent = userAgent;
    const ca = root === null ? undefined : [...tls.getCACertificates('default'), root];
    // Read once: as `ca` the roots would be a part of the name by which the agent knows a connection.
    const secureContext = tls.createSecureContext({ ca });
    this.#agent = new https.Agent({ keepAlive: true, maxSockets, secureContext });
  }

  /** Rejects with `acme-unreachable`, or `acme-interrupted` once the signal is aborted. Any status is an answer. */
  request(wanted: AuthorityRequest, signal: AbortSignal): Promise<AuthorityAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<AuthorityAnswer>();
    if (signal.aborted) return Promise.reject(interrupted());
    const { method, url, body, contentType, accept } = wanted;
    const request = https.request(url, {
      method,
      agent: this.#agent,
      headers: {
        'user-agent': this.#userAgent,
        ...(accept !== undefined && { accept }),
        ...(body !== undefined && { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }),
      },
    });
    const late = this.#clock.setTimer(requestMs, () =>
      request.destroy(new Error(`no answer within ${requestMs / 1000} s`)),
    );
    const stop = (): void => void request.destroy();
    signal.addEventListener('abort', stop);
    const fail = (error: Error): void =>
      reject(signal.aborted ? interrupted() : unreachable(url, errorMessage(error), error));
    request.on('error', fail);
    request.on('response', (response) => {
      readText(response).then((text) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      }, fail);
    });
    request.end(body);
    return promise.finally(() => {
      late.cancel();
      signal.removeEventListener('abort', stop);
    });
  }

  /** Closes what is kept. Requests under way fail. */
  close(): void {
    this.#agent.destroy();
  }

  /** What the answer asks to wait, in ms; null where it says nothing. */
  retryAfter({ headers }: AuthorityAnswer): number | null {
    return retryAfterMs(headers['retry-after'], this.#clock.wallTime());
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new Error(`its answer is larger than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function unreachable(url: string, why: string, cause: unknown): AcmeError {
  const host = URL.canParse(url) ? new URL(url).host : url;
  return new AcmeError('acme-unreachable', `${host} cannot be reached: ${why}`, { cause });
}
