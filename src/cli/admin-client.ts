import http from 'node:http';
import { errorCode, errorMessage, SmartProxyError } from '../base/errors.ts';
import { parseAdminListen } from '../config/admin-listen.ts';
import { defaultAdminListen } from '../config/environment.ts';

const nobody = 'nobody listens there (is it running? say where with --admin URL, or SMARTPROXY_ADMIN)';
const reasons: Readonly<Record<string, string>> = {
  ENOENT: nobody,
  ECONNREFUSED: nobody,
  EACCES: 'this user may not use that socket (call as the user who runs SmartProxy, or as root)',
};

/** A reload may read and compile a large configuration. */
const answerWithinMs = 60_000;

/**
 * Calls a running instance. Where: `place`, else SMARTPROXY_ADMIN, else the default socket; as
 * `http://host:port`, `host:port` or `unix:/path`. The token is SMARTPROXY_ADMIN_TOKEN: on a
 * command line everybody could read it.
 */
export class AdminClient {
  readonly place: string;
  readonly #connect: http.RequestOptions;
  readonly #token: string | undefined;

  constructor(place: string | undefined, variables: NodeJS.ProcessEnv = process.env) {
    this.place = place ?? (variables.SMARTPROXY_ADMIN || defaultAdminListen(variables));
    this.#connect = readPlace(this.place);
    this.#token = variables.SMARTPROXY_ADMIN_TOKEN;
  }

  get(path: string): Promise<unknown> {
    return this.#call('GET', path);
  }

  post(path: string): Promise<unknown> {
    return this.#call('POST', path);
  }

  delete(path: string): Promise<unknown> {
    return this.#call('DELETE', path);
  }

  /** Rejects with the code that the instance told, or `admin-unreachable`. */
  async #call(method: string, path: string): Promise<unknown> {
    const { status, text } = await this.#request(method, path).catch((error) => {
      throw this.#unreachable(error);
    });
    const body = readJson(text);
    if (body === undefined)
      throw this.#unreachable(new Error(`what answers there is no SmartProxy (HTTP ${status})`));
    if (status < 300 || (status === 503 && path === '/ready')) return body;
    throw refusal(status, body);
  }

  #request(method: string, path: string): Promise<{ status: number; text: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const headers = {
      'content-type': 'application/json',
      ...(this.#token && { authorization: `Bearer ${this.#token}` }),
    };
    const request = http.request({
      ...this.#connect,
      method,
      path,
      headers,
      agent: false,
      timeout: answerWithinMs,
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${answerWithinMs / 1000} s`)));
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    request.end();
    return promise;
  }

  #unreachable(error: unknown): SmartProxyError {
    const why = reasons[errorCode(error) ?? ''] ?? errorMessage(error);
    return new SmartProxyError('admin-unreachable', `cannot reach the admin API at ${this.place}: ${why}`, {
      source: 'proxy',
      retryable: true,
      cause: error,
    });
  }
}

function readPlace(place: string): http.RequestOptions {
  const listen = parseAdminListen(place.replace(/^http:\/\/|\/+$/g, ''));
  if (listen !== undefined && !('socket' in listen && place.startsWith('http:'))) {
    return 'socket' in listen ? { socketPath: listen.socket } : { host: listen.address, port: listen.port };
  }
  const url = URL.canParse(place) ? new URL(place) : undefined;
  if (url?.protocol === 'http:') return { host: url.hostname, port: url.port || 80 };
  throw new SmartProxyError(
    'usage',
    `--admin ${place}: write http://127.0.0.1:9901 or unix:/path/admin.sock`,
    {
      source: 'config',
    },
  );
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A configuration that a reload refused is a wrong configuration here too. */
function refusal(status: number, body: unknown): SmartProxyError {
  const { code = 'admin-failed', message = `HTTP ${status}` } =
    (body as { error?: { code?: string; message?: string } }).error ?? {};
  const hint = code === 'token-required' ? ' (the commands take it from SMARTPROXY_ADMIN_TOKEN)' : '';
  const source = status === 422 ? 'config' : status === 400 ? 'client' : 'proxy';
  return new SmartProxyError(code, message + hint, { source });
}
