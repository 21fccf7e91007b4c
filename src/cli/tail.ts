import { setTimeout as delay } from 'node:timers/promises';
import { parseCidr } from '../base/address.ts';
import { SmartProxyError } from '../base/errors.ts';
import { AddressSet } from '../base/prefix-trie.ts';
import { type Initiator, legalMoves, reasonInitiators } from '../base/termination.ts';
import type { RecordSummary } from '../connection/record-summary.ts';
import { durationWords, placeWords } from '../connection/story/words.ts';
import { AdminClient } from './admin-client.ts';
import { cell } from './screen/cells.ts';
import { printable, type Terminal } from './terminal.ts';

const lookEveryMs = 500;
/** As many as an instance keeps: what ends faster than that between two looks is only counted. */
const mostAtOnce = 1_000;
const defaultLines = 10;

/** Filters are lists with commas; a connection is printed where each list that is given has it. */
export interface TailChoice {
  admin?: string | undefined;
  json?: boolean | undefined;
  /** How many of the newest are printed at the beginning. */
  lines?: string | undefined;
  route?: string | undefined;
  reason?: string | undefined;
  initiator?: string | undefined;
  phase?: string | undefined;
  /** Addresses and CIDRs. */
  client?: string | undefined;
}

/** `smartproxy tail`: endings as they happen, one line each, until `signal`. Rejects where nobody answers any more. */
export async function tail(choice: TailChoice, terminal: Terminal, signal?: AbortSignal): Promise<void> {
  const lines = readLines(choice.lines);
  const isWanted = matcher(choice);
  const endings = new Endings(new AdminClient(choice.admin));
  const print = (records: readonly RecordSummary[]): void => {
    const text = records.map((record) => `${choice.json ? JSON.stringify(record) : lineOf(record)}\n`);
    if (text.length > 0) terminal.out(text.join(''));
  };
  const before = (await endings.next()).records.filter(isWanted);
  print(lines === 0 ? [] : before.slice(-lines));
  while (signal?.aborted !== true) {
    await delay(lookEveryMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    const { records, missed } = await endings.next();
    if (missed > 0) terminal.err(`(${missed} more have ended in between)\n`);
    print(records.filter(isWanted));
  }
}

/** Asks for what has ended since the last time. */
class Endings {
  readonly #client: AdminClient;
  #total = 0;

  constructor(client: AdminClient) {
    this.#client = client;
  }

  /** The oldest first. `missed`: how many more there were than are kept. */
  async next(): Promise<{ records: RecordSummary[]; missed: number }> {
    const path = `/api/v1/terminations?limit=${mostAtOnce}&after=${this.#total}`;
    const { terminations, total } = (await this.#client.get(path)) as {
      terminations: RecordSummary[];
      total: number;
    };
    const since = total - this.#total;
    this.#total = total;
    // Another process has taken the place of the one before, and counts from 0.
    if (since < 0) {
      this.#total = 0;
      return this.next();
    }
    return { records: terminations.reverse(), missed: since - terminations.length };
  }
}

function readLines(text: string | undefined): number {
  if (text === undefined) return defaultLines;
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new SmartProxyError('usage', `--lines ${text}: write a number from 0 to 9999`, { source: 'config' });
}

function matcher(choice: TailChoice): (record: RecordSummary) => boolean {
  const [routes, reasons, initiators, phases] = (['route', 'reason', 'initiator', 'phase'] as const).map(
    (key) => listOf(choice[key]),
  );
  checkWords('reason', reasons, Object.keys(reasonInitiators));
  checkWords('initiator', initiators, [...new Set<Initiator>(Object.values(reasonInitiators))]);
  checkWords('phase', phases, Object.keys(legalMoves));
  const clients = listOf(choice.client);
  const wrong = clients?.find((client) => parseCidr(client) === undefined);
  if (wrong !== undefined) throw unusable('client', wrong, 'an address or a CIDR');
  const addresses = clients === undefined ? null : new AddressSet(clients);
  return ({ route, client, termination }) =>
    has(routes, route ?? '-') &&
    has(reasons, termination?.reason) &&
    has(initiators, termination?.initiator) &&
    has(phases, termination?.phase) &&
    (addresses === null || addresses.has(client.ip));
}

function listOf(text: string | undefined): string[] | undefined {
  return text?.split(',').map((word) => word.trim());
}

function has(list: readonly string[] | undefined, word: string | undefined): boolean {
  return list === undefined || (word !== undefined && list.includes(word));
}

/** A filter with a typing error would wait for ever. */
function checkWords(option: string, words: readonly string[] | undefined, known: readonly string[]): void {
  const wrong = words?.find((word) => !known.includes(word));
  if (wrong !== undefined) throw unusable(option, wrong, `one of ${known.join(', ')}`);
}

function unusable(option: string, word: string, instead: string): SmartProxyError {
  return new SmartProxyError('usage', `--${option} ${word}: write ${instead}`, { source: 'config' });
}

/** One line, the columns of which are in the same place in most lines. */
function lineOf({ id, route, client, target, tls, bytes, termination }: RecordSummary): string {
  const {
    reason = '-',
    initiator = '-',
    phase = '-',
    endedAt = '',
    durationMs = 0,
    error,
  } = termination ?? {};
  const where = target === null ? '' : ` → ${placeWords(target.host, target.port)}`;
  const details = [
    `${placeWords(client.ip, client.port)}${where}`,
    ...(tls?.serverName ? [tls.serverName] : []),
    `in ${bytes.fromClient} out ${bytes.toClient}`,
    durationWords(durationMs),
    id,
    ...(error ? [error.message] : []),
  ];
  const columns = [
    endedAt.slice(11, 23),
    cell(reason, 23),
    cell(`${initiator}, ${phase}`, 28),
    cell(route ?? '-', 12),
  ];
  return printable(`${columns.join(' ')} ${details.join('  ')}`);
}
