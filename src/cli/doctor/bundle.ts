import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { errorCode, errorMessage, SmartProxyError } from '../../base/errors.ts';
import { packageVersion } from '../../base/package-version.ts';
import { redact } from '../../config/redact.ts';
import type { AdminClient } from '../admin-client.ts';
import type { Finding } from './finding.ts';

/** What an instance is asked for, by the name that it gets in the bundle. */
const questions = {
  instance: '/api/v1/instance',
  configuration: '/api/v1/configuration',
  statistics: '/api/v1/statistics',
  history: '/api/v1/history?seconds=300',
  routes: '/api/v1/routes',
  certificates: '/api/v1/certificates',
  connections: '/api/v1/connections?limit=1000',
  terminations: '/api/v1/terminations?limit=1000',
} as const;

export interface BundleParts {
  readonly findings: readonly Finding[];
  /** Null where none answers. */
  readonly client: AdminClient | null;
  /** As it was read; undefined where there is none. */
  readonly configuration: unknown;
  readonly now: number;
}

/** Everything that somebody who helps from afar would ask for, without secrets. */
export async function makeBundle({ findings, client, configuration, now }: BundleParts): Promise<object> {
  const answers =
    client === null ? [] : await Promise.all(Object.entries(questions).map((entry) => ask(client, entry)));
  return {
    bundle: 1,
    madeAt: new Date(now).toISOString(),
    versions: {
      smartproxy: packageVersion(),
      platform: `${process.platform} ${process.arch} ${release()}`,
      ...process.versions,
    },
    findings,
    configurationFile: configuration === undefined ? null : redact(configuration),
    running: client === null ? null : Object.fromEntries(answers),
  };
}

/** A part that is missing is told, and no reason to have nothing. */
async function ask(client: AdminClient, [name, path]: [string, string]): Promise<[string, unknown]> {
  try {
    return [name, await client.get(path)];
  } catch (error) {
    return [name, { error: { code: errorCode(error), message: errorMessage(error) } }];
  }
}

/** Only its owner may read it: it names clients. Throws `bundle-failed`. */
export function writeBundle(file: string, bundle: object): void {
  try {
    writeFileSync(file, `${JSON.stringify(bundle, null, 1)}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const why = errorCode(error) === 'EEXIST' ? 'it exists already (name another)' : errorMessage(error);
    throw new SmartProxyError('bundle-failed', `cannot write ${file}: ${why}`, {
      source: 'proxy',
      cause: error,
    });
  }
}
