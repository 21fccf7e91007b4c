import { readFileSync } from 'node:fs';

/** The version of SmartProxy, as its package tells it. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
