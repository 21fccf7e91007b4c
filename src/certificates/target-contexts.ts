import tls, { type SecureContext } from 'node:tls';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import type { ResolvedRoute, ResolvedTargetTls } from '../config/resolved.ts';
import { readPemFile } from './pem.ts';

/** The files of a target are read when a configuration is loaded: no connection waits for the disk. */
export class TargetContexts {
  readonly #contexts: ReadonlyMap<string, SecureContext>;

  private constructor(contexts: ReadonlyMap<string, SecureContext>) {
    this.#contexts = contexts;
  }

  /**
   * @throws SmartProxyError naming the route: `certificate-unreadable`, or `certificate-unusable`
   *   where OpenSSL refuses what is in the files
   */
  static async load(routes: readonly ResolvedRoute[]): Promise<TargetContexts> {
    const contexts = new Map<string, SecureContext>();
    for (const { name, action } of routes) {
      if (action.type !== 'forward') continue;
      for (const target of action.targets) {
        const key = target.tls === null ? null : keyOf(target.tls);
        if (key === null || contexts.has(key)) continue;
        contexts.set(key, await createContext(name, target.tls as ResolvedTargetTls));
      }
    }
    return new TargetContexts(contexts);
  }

  /** Undefined for settings that were not loaded. */
  contextFor(tls: ResolvedTargetTls): SecureContext | undefined {
    return this.#contexts.get(keyOf(tls));
  }
}

function keyOf({ ca, certFile, keyFile }: ResolvedTargetTls): string {
  return JSON.stringify([ca, certFile, keyFile]);
}

async function createContext(
  route: string,
  { ca, certFile, keyFile }: ResolvedTargetTls,
): Promise<SecureContext> {
  try {
    return tls.createSecureContext({
      ...(ca !== null && { ca: ca.startsWith('-----BEGIN') ? ca : await readPemFile(ca) }),
      ...(certFile !== null && { cert: await readPemFile(certFile) }),
      ...(keyFile !== null && { key: await readPemFile(keyFile) }),
    });
  } catch (error) {
    const code = error instanceof SmartProxyError ? error.code : 'certificate-unusable';
    throw new SmartProxyError(code, `route ${route}, TLS with its target: ${errorMessage(error)}`, {
      source: 'config',
      cause: error,
    });
  }
}
