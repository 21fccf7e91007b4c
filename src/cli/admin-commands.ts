import type { RecordSummary } from '../connection/record-summary.ts';
import { placeWords } from '../connection/story/words.ts';
import type { Statistics } from '../smart-proxy/statistics.ts';
import { AdminClient } from './admin-client.ts';
import { json, printable, type Terminal, table } from './terminal.ts';

/** What every command to a running instance understands. */
export interface AdminChoice {
  admin?: string | undefined;
  json?: boolean | undefined;
}

export async function status(choice: AdminChoice, terminal: Terminal): Promise<void> {
  const client = new AdminClient(choice.admin);
  const ready = (await client.get('/ready')) as { status: string };
  const statistics = (await client.get('/api/v1/statistics')) as Statistics;
  terminal.out(
    choice.json ? json({ status: ready.status, ...statistics }) : describeStatus(ready.status, statistics),
  );
}

function describeStatus(
  status: string,
  { connections, refusals, terminations, cleanup, bytes, audit }: Statistics,
): string {
  const { active, opened, terminated, refused } = connections;
  return [
    `SmartProxy is ${status === 'ok' ? 'ready' : printable(status)}`,
    `connections   ${active} active, ${opened} opened, ${terminated} ended, ${refused} refused`,
    `bytes         ${bytes.fromClient} from clients, ${bytes.toClient} to clients`,
    `endings       ${counts(terminations)}`,
    `refusals      ${counts(refusals)}`,
    `clean-up      ${cleanup.graceful} graceful, ${cleanup.forced} forced, ${cleanup.orphaned} orphaned`,
    `audit         ${audit.consistent ? 'consistent' : 'INCONSISTENT'}: ${audit.records} records, ${audit.sockets} sockets${audit.flows > 0 ? `, ${audit.flows} flows` : ''}`,
    '',
  ].join('\n');
}

function counts(byReason: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(byReason).sort(([, a], [, b]) => b - a);
  return sorted.map(([reason, count]) => `${reason} ${count}`).join(', ') || 'none';
}

export interface ConnectionsChoice extends AdminChoice {
  ended?: boolean | undefined;
  watch?: boolean | undefined;
  /** What the admin API takes: which connections, how many, in which order. */
  route?: string | undefined;
  state?: string | undefined;
  client?: string | undefined;
  name?: string | undefined;
  sort?: string | undefined;
  limit?: string | undefined;
}

const queryNames = ['route', 'state', 'client', 'name', 'sort', 'limit'] as const;

export async function connections(
  id: string | undefined,
  choice: ConnectionsChoice,
  terminal: Terminal,
): Promise<void> {
  const client = new AdminClient(choice.admin);
  if (id !== undefined) {
    terminal.out(json(await client.get(`/api/v1/connections/${encodeURIComponent(id)}`)));
    return;
  }
  const query = new URLSearchParams();
  for (const name of queryNames) if (choice[name] !== undefined) query.set(name, choice[name]);
  if (choice.watch) {
    const { watchConnections } = await import('./watch.ts');
    return watchConnections(client, query, choice.json === true, terminal);
  }
  const answer = await client.get(`/api/v1/${choice.ended ? 'terminations' : 'connections'}?${query}`);
  if (choice.json) terminal.out(json(answer));
  else terminal.out(listRecords(Object.values(answer as Record<string, RecordSummary[]>)[0] ?? []));
}

function listRecords(records: readonly RecordSummary[]): string {
  const head = ['ID', 'ROUTE', 'CLIENT', 'TARGET', 'NAME', 'STATE', 'RECEIVED', 'SENT', 'SINCE', 'ENDED BY'];
  return table(head, records.map(recordRow));
}

function recordRow(record: RecordSummary): string[] {
  const { id, route, client, target, tls, state, bytes, startedAt, termination } = record;
  return [
    id,
    route ?? '-',
    placeWords(client.ip, client.port),
    target === null ? '-' : placeWords(target.host, target.port),
    tls?.serverName ?? '-',
    state,
    String(bytes.fromClient),
    String(bytes.toClient),
    startedAt,
    termination?.reason ?? '-',
  ];
}

export async function terminate(id: string, choice: AdminChoice, terminal: Terminal): Promise<void> {
  const answer = await new AdminClient(choice.admin).delete(`/api/v1/connections/${encodeURIComponent(id)}`);
  terminal.out(choice.json ? json(answer) : `ended ${printable(id)}\n`);
}

export async function reload(choice: AdminChoice, terminal: Terminal): Promise<void> {
  const answer = await new AdminClient(choice.admin).post('/api/v1/reload');
  terminal.out(choice.json ? json(answer) : 'the configuration was read again and is in force\n');
}

export async function drain(choice: AdminChoice, terminal: Terminal): Promise<void> {
  const answer = await new AdminClient(choice.admin).post('/api/v1/drain');
  terminal.out(
    choice.json
      ? json(answer)
      : 'draining: no new connections, it ends when those that are there have ended\n',
  );
}
