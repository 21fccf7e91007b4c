import type { SmartProxyOptions } from '../config/schema.ts';
import type { Explanation } from '../routing/explain.ts';
import { explain as explainOptions } from '../smart-proxy/explain.ts';
import { AdminClient } from './admin-client.ts';
import { type ConfigurationChoice, configurationSource, namingFile } from './configuration.ts';
import { json, printable, type Terminal, table, wrapped } from './terminal.ts';

export interface ExplainChoice extends ConfigurationChoice {
  client?: string | undefined;
  admin?: string | undefined;
  json?: boolean | undefined;
}

/**
 * `smartproxy explain TARGET`: of the configuration; of the running instance for the id of a
 * connection, or where one is named (`--admin`; `SMARTPROXY_ADMIN`, unless `--config` is given).
 */
export async function explain(target: string, choice: ExplainChoice, terminal: Terminal): Promise<void> {
  const named = choice.admin ?? (choice.config === undefined ? process.env.SMARTPROXY_ADMIN : undefined);
  const remote = named !== undefined || !target.includes('://');
  const explanation = remote ? await askInstance(target, choice) : await askConfiguration(target, choice);
  terminal.out(choice.json ? json(explanation) : describe(target, explanation));
}

/** A running instance tells the story of a connection, and what another process saw of it. */
type Explained = Explanation & {
  story?: string;
  inner?: { story: string; connection: { id: string } } | { error: { message: string } };
};

async function askInstance(target: string, { admin, client }: ExplainChoice): Promise<Explained> {
  const query = new URLSearchParams({ target, ...(client !== undefined && { client }) });
  return (await new AdminClient(admin).get(`/api/v1/explain?${query}`)) as Explained;
}

async function askConfiguration(target: string, choice: ExplainChoice): Promise<Explanation> {
  const source = configurationSource(choice);
  const { client } = choice;
  return namingFile(source.file, async () => {
    const { input } = await source.read();
    return explainOptions(input as SmartProxyOptions, target, client === undefined ? {} : { client });
  });
}

/** What happened comes first, where the question is about a connection that is known. */
function describe(target: string, { story, inner, ...explanation }: Explained): string {
  if (story === undefined) return describeRoutes(target, explanation);
  const routes = describeRoutes('A connection like it', explanation);
  return [wrapped(story), ...describeInner(inner), routes].join('\n\n');
}

/** Why it ended is known where its requests were read. */
function describeInner(inner: Explained['inner']): string[] {
  if (inner === undefined) return [];
  if ('error' in inner) return [wrapped(`What the other process saw is not known: ${inner.error.message}.`)];
  return [wrapped(`In the process that read it, as ${inner.connection.id}: ${inner.story}`)];
}

function describeRoutes(target: string, { route, listener, candidates }: Explanation): string {
  const answer = route === null ? 'no route takes it' : `takes the route ${route}`;
  const where = listener === null ? 'nothing listens there' : `listener ${listener}`;
  const rows = candidates.map((candidate) => [candidate.route, candidate.outcome, candidate.why]);
  return `${printable(`${target} ${answer} (${where})`)}\n${table(['ROUTE', 'OUTCOME', 'WHY'], rows)}`;
}
