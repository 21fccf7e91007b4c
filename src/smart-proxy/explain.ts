import { normalizeAddress } from '../base/address.ts';
import { SmartProxyError } from '../base/errors.ts';
import { processEnvironment } from '../config/environment.ts';
import { resolveOptions } from '../config/resolve.ts';
import type { SmartProxyOptions } from '../config/schema.ts';
import { type Explanation, explainConnection } from '../routing/explain.ts';
import { parseExplainTarget } from '../routing/explain-target.ts';
import { compileRoutes } from '../routing/route-index.ts';

/**
 * Says which route of a configuration a connection would take, and for each other route why it
 * does not. Nothing is started.
 *
 * @param target `https://a.test/x`, `tls://a.test:443` or `tcp://:5432`
 * @param client who connects; default 127.0.0.1
 * @throws ConfigurationError, or SmartProxyError `invalid-target`
 */
export function explain(
  options: SmartProxyOptions,
  target: string,
  { client }: { client?: string } = {},
): Explanation {
  if (client !== undefined && normalizeAddress(client) === undefined) {
    const message = `'${client.slice(0, 200)}' is no client (write an address such as 192.0.2.1)`;
    throw new SmartProxyError('invalid-target', message, { source: 'client' });
  }
  const resolved = resolveOptions(options, processEnvironment()).options;
  const query = parseExplainTarget(target, client);
  if (query === undefined) throw unreadableTarget(target);
  return explainConnection(compileRoutes(resolved.routes), query);
}

/** What cannot be explained, and what to write instead. `what`: what it is not. */
export function unreadableTarget(target: string, what = 'is no target'): SmartProxyError {
  return new SmartProxyError(
    'invalid-target',
    `'${target.slice(0, 200)}' ${what} (write https://a.test/x, tls://a.test:443, tcp://:5432, or the id of a connection of a running proxy)`,
    { source: 'client' },
  );
}
