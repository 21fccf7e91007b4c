import { errorCode, errorMessage, SmartProxyError } from '../base/errors.ts';
import type { RecordSummary } from '../connection/record-summary.ts';
import { type ExplainQuery, type Explanation, explainConnection } from '../routing/explain.ts';
import { parseExplainTarget } from '../routing/explain-target.ts';
import type { Assembly } from './assembly.ts';
import { unreadableTarget } from './explain.ts';

/** A record in plain sentences too. */
interface Told {
  readonly connection: RecordSummary;
  readonly story: string;
}

const notFound = 'is no target, nor a connection that lives or is among the last 1,000 that ended';

/** What the other process says of a connection that was forwarded to it, or why it says nothing. */
type ToldInside = Told | { readonly error: { readonly code: string; readonly message: string } };

/**
 * Which route wins, for a target or for a connection that was or is, of which everything is told that
 * is known. Rejects with SmartProxyError `invalid-target` or `not-running`.
 */
export async function explainRunning(
  assembly: Assembly | null,
  target: string,
  client?: string,
): Promise<Explanation & Partial<Told> & { inner?: ToldInside }> {
  if (assembly === null)
    throw new SmartProxyError('not-running', 'the proxy does not run', { source: 'proxy' });
  const known = assembly.manager.find(target) === undefined ? assembly.manager.broughtAs(target) : target;
  const connection = known === undefined ? undefined : assembly.manager.find(known);
  const query = connection === undefined ? parseExplainTarget(target, client) : queryOf(connection);
  if (query === undefined) throw unreadableTarget(target, notFound);
  const ports = new Map(assembly.listeners.all().map(({ key, port }) => [key, port]));
  const explanation = explainConnection(assembly.index, query, ports);
  if (connection === undefined) return explanation;
  const { id, viaNetworkProxy } = connection;
  const inner = viaNetworkProxy ? await askInner(assembly, id) : undefined;
  const story = assembly.manager.story(id) ?? '';
  return { ...explanation, connection, story, ...(inner !== undefined && { inner }) };
}

/** Over the loopback our record says what we saw, and the other process's why. */
async function askInner({ networkProxy }: Assembly, id: string): Promise<ToldInside | undefined> {
  try {
    const told = await networkProxy.bridge?.askInner(id);
    return told === null ? unknownInside : (told as Told | undefined);
  } catch (error) {
    return { error: { code: errorCode(error) ?? 'internal-error', message: errorMessage(error) } };
  }
}

const unknownInside: ToldInside = {
  error: { code: 'no-such-connection', message: 'the process that reads requests does not know it' },
};

function queryOf({ client, localPort, tls, events }: RecordSummary): ExplainQuery {
  const first = events.find(({ what }) => what === 'first-bytes')?.kind ?? 'none';
  return {
    port: localPort,
    localAddress: null,
    clientIp: client.ip,
    kind: tls === null ? (first as ExplainQuery['kind']) : 'tls',
    serverName: tls?.serverName ?? null,
    alpn: tls?.alpn ?? [],
  };
}
