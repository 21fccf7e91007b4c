import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';

/** Whether a certificate may be ordered for a name. */
export type Ask = string | ((name: string) => boolean | Promise<boolean>);

/** A client waits meanwhile. */
const askMs = 5_000;

/** Asks a function, or a URL by `?domain=NAME`: a status of 2xx is a yes. Rejects where there is no answer. */
export async function ask(whom: Ask, name: string, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const ending = new AbortController();
  const stop = (): void => reject(new Error('the proxy stops or was reconfigured'));
  signal.addEventListener('abort', stop);
  const timer = clock.setTimer(askMs, () => reject(new Error(`no answer within ${askMs / 1000} s`)));
  try {
    const asked = typeof whom === 'string' ? askUrl(whom, name, ending.signal) : callAsk(whom, name);
    return await Promise.race([asked, late]);
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', stop);
    ending.abort();
  }
}

async function callAsk(whom: Exclude<Ask, string>, name: string): Promise<boolean> {
  const answer: unknown = await whom(name);
  if (typeof answer === 'boolean') return answer;
  throw new Error(`certificates.acme.ask gave ${typeof answer}, and not true or false`);
}

function askUrl(text: string, name: string, signal: AbortSignal): Promise<boolean> {
  const url = new URL(text);
  url.searchParams.set('domain', name);
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const client = url.protocol === 'https:' ? https : http;
  const request = client.get(url, { agent: false, signal }, (response) => {
    const { statusCode = 0 } = response;
    resolve(statusCode >= 200 && statusCode < 300);
    response.destroy();
  });
  request.on('error', (error) => reject(new Error(`${url.origin}: ${errorMessage(error)}`)));
  return promise;
}
