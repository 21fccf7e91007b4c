import type { RecordSummary } from '../../connection/record-summary.ts';
import { placeWords } from '../../connection/story/words.ts';
import { cell, shortAge, shortBytes } from './cells.ts';

interface Column {
  readonly title: string;
  readonly width: number;
  readonly align?: 'right';
  /** Left out first where the terminal is too narrow. */
  readonly importance: number;
  readonly text: (record: RecordSummary, now: number, pace: Pace | undefined) => string;
}

/** Bytes per second, each way. */
export interface Pace {
  readonly fromClient: number;
  readonly toClient: number;
}

const columns: readonly Column[] = [
  { title: 'ID', width: 10, importance: 9, text: ({ id }) => id },
  { title: 'CLIENT', width: 15, importance: 8, text: ({ client }) => client.ip || 'unix socket' },
  { title: 'ROUTE', width: 12, importance: 7, text: ({ route }) => route ?? '-' },
  { title: 'NAME', width: 16, importance: 2, text: ({ tls }) => tls?.serverName ?? '-' },
  { title: 'TARGET', width: 21, importance: 1, text: targetText },
  { title: 'STATE', width: 12, importance: 6, text: ({ state }) => state },
  { title: 'IN', width: 7, align: 'right', importance: 5, text: ({ bytes }) => shortBytes(bytes.fromClient) },
  { title: 'OUT', width: 7, align: 'right', importance: 5, text: ({ bytes }) => shortBytes(bytes.toClient) },
  {
    title: 'IN/S',
    width: 7,
    align: 'right',
    importance: 3,
    text: (_record, _now, pace) => paceText(pace?.fromClient),
  },
  {
    title: 'OUT/S',
    width: 7,
    align: 'right',
    importance: 3,
    text: (_record, _now, pace) => paceText(pace?.toClient),
  },
  {
    title: 'IDLE',
    width: 4,
    align: 'right',
    importance: 4,
    text: ({ lastActivityAt }, now) => shortAge(now - Date.parse(lastActivityAt)),
  },
  {
    title: 'AGE',
    width: 4,
    align: 'right',
    importance: 5,
    text: ({ startedAt }, now) => shortAge(now - Date.parse(startedAt)),
  },
];

function targetText({ target }: RecordSummary): string {
  return target === null ? '-' : placeWords(target.host, target.port);
}

function paceText(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined || bytesPerSecond === 0 ? '' : shortBytes(bytesPerSecond);
}

/** The most important columns that fit side by side, in their order. */
function fitting(width: number): Column[] {
  const byImportance = [...columns].sort((one, other) => other.importance - one.importance);
  const chosen = new Set<Column>();
  let used = -1;
  for (const column of byImportance) {
    if (used + 1 + column.width > width) break;
    chosen.add(column);
    used += 1 + column.width;
  }
  return columns.filter((column) => chosen.has(column));
}

/** The titles, the one that the list is sorted by marked. */
export function connectionHead(width: number, sortedBy: string): string {
  const titles = fitting(width).map(({ title, width: own, align }) =>
    cell(title === sortedBy ? `${title}▾` : title, own, align),
  );
  return cell(titles.join(' '), width);
}

export function connectionRow(
  record: RecordSummary,
  now: number,
  pace: Pace | undefined,
  width: number,
): string {
  const cells = fitting(width).map(({ text, width: own, align }) =>
    cell(text(record, now, pace), own, align),
  );
  return cell(cells.join(' '), width);
}
