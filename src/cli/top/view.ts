import { durationWords } from '../../connection/story/words.ts';
import type { EndingCount } from '../../metrics/metrics.ts';
import { cell, type Paint, shortBytes, shortNumber, sparkline, spread } from '../screen/cells.ts';
import { connectionHead, connectionRow } from '../screen/connection-columns.ts';
import type { Snapshot } from './feed.ts';
import type { TopState } from './state.ts';

const endingRows = 5;
/** The whole screen, line by line. */
export function renderTop(
  state: TopState,
  place: string,
  columns: number,
  rows: number,
  paint: Paint,
): string[] {
  const { snapshot } = state;
  if (snapshot === null) return [cell(`asking ${place} …`, columns)];
  const top = [
    paint.bold(titleLine(snapshot, place, columns)),
    ...figureLines(snapshot, columns),
    ...endingLines(snapshot, columns, paint),
  ];
  const room = Math.max(1, rows - top.length - 1);
  const middle =
    state.mode === 'story' || state.mode === 'help'
      ? textLines(state, columns)
      : listLines(state, columns, room, paint);
  const body = [...middle.slice(0, room)];
  while (body.length < room) body.push('');
  return [...top, ...body, bottomLine(state, columns, paint)];
}

function titleLine({ status, instance, at }: Snapshot, place: string, columns: number): string {
  const state = status === 'ok' ? 'ready' : status;
  const age = instance.startedAt === null ? '' : `, up ${durationWords(at - Date.parse(instance.startedAt))}`;
  const clock = `${new Date(at).toISOString().slice(11, 19)} UTC`;
  return spread(`SmartProxy ${instance.version} is ${state}${age} at ${place}`, clock, columns);
}

function figureLines({ statistics, instance, history }: Snapshot, columns: number): string[] {
  const { connections, rates, eventLoopDelay, audit } = statistics;
  const perSecond = (value: number): string => `${shortNumber(value)}/s`;
  const open =
    `connections ${connections.active}  opened ${perSecond(rates.opened)}  ended ${perSecond(rates.terminated)}` +
    `  refused ${perSecond(rates.refused)}`;
  const traffic =
    `in ${shortBytes(rates.bytes.fromClient)}/s  out ${shortBytes(rates.bytes.toClient)}/s` +
    `  requests ${perSecond(rates.requests)}${errors(rates.statuses)}  tls ${perSecond(rates.handshakes)}`;
  const health = `loop p99 ${eventLoopDelay.p99Ms.toFixed(1)} ms  ${shortBytes(instance.memoryBytes)}`;
  const ended = history.map(({ counts }) => counts.terminated);
  return [
    spread(open, audit.consistent ? 'books agree' : 'BOOKS DISAGREE', columns),
    spread(traffic, health, columns),
    `ended/s ${sparkline(ended, columns - 8)}`,
  ];
}

function errors(statuses: Readonly<Record<string, number>>): string {
  const [client, server] = [statuses['4xx'] ?? 0, statuses['5xx'] ?? 0];
  return client + server === 0 ? '' : ` (4xx ${shortNumber(client)}, 5xx ${shortNumber(server)})`;
}

const endingWidths = { count: 10, rate: 8, initiator: 10, phase: 20 };

function endingLines({ statistics }: Snapshot, columns: number, paint: Paint): string[] {
  const { endings, rates } = statistics;
  const width =
    columns - endingWidths.count - endingWidths.rate - endingWidths.initiator - endingWidths.phase - 4;
  const line = (reason: string, initiator: string, phase: string, rate: string, count: string): string =>
    [
      cell(reason, width),
      cell(initiator, endingWidths.initiator),
      cell(phase, endingWidths.phase),
      cell(rate, endingWidths.rate, 'right'),
      cell(count, endingWidths.count, 'right'),
    ].join(' ');
  const row = ({ reason, initiator, phase, count }: EndingCount): string =>
    line(reason, initiator, phase, shortNumber(rates.terminations[reason] ?? 0), String(count));
  const rows = endings.slice(0, endingRows).map(row);
  while (rows.length < endingRows) rows.push('');
  return [paint.inverse(line('ENDED BY', 'WHO', 'IN PHASE', 'RATE/S', 'TOTAL')), ...rows];
}

function listLines(state: TopState, columns: number, room: number, paint: Paint): string[] {
  const { connections } = state.snapshot!;
  const first = Math.max(0, Math.min(state.selectedIndex - room + 2, connections.length - room + 1));
  const shown = connections.slice(first, first + room - 1);
  const now = state.snapshot!.at;
  const rows = shown.map((record) => {
    const row = connectionRow(record, now, state.paces.get(record.id), columns);
    return record.id === state.selectedId ? paint.inverse(row) : row;
  });
  return [paint.inverse(connectionHead(columns, state.order.title)), ...rows];
}

function textLines({ mode, story }: TopState, columns: number): string[] {
  return (mode === 'help' ? help : story).map((line) => cell(line, columns));
}

const help = [
  'q        quit',
  's  r     sort by the next column, reverse the order',
  '↑ ↓      select a connection (also j and k, page up and down)',
  'return   tell its story',
  'x        end it, after a question',
  '/        filter: route=web state=dialing client=10.0.0.0/8, or a part of the server name',
  'p        pause, and go on',
  '',
  'Rates are those of the last ten seconds; IN/S and OUT/S of a connection those since the last look.',
];

const keys: Record<TopState['mode'], string> = {
  list: 'q quit  s sort  r reverse  / filter  ↑↓ select  ⏎ story  x end  p pause  ? help',
  filter: 'return applies, escape leaves it as it was',
  confirm: 'y ends it, any other key does not',
  story: 'escape goes back',
  help: 'escape goes back',
};

function bottomLine(state: TopState, columns: number, paint: Paint): string {
  if (state.mode === 'filter') return paint.bold(cell(`filter: ${state.typed}_   ${keys.filter}`, columns));
  if (state.mode === 'confirm') {
    return paint.alarm(cell(`End the connection ${state.selectedId}? ${keys.confirm}`, columns));
  }
  if (state.message !== '') return paint.bold(cell(state.message, columns));
  const { total } = state.snapshot!;
  const marks = [
    ...(state.paused ? ['PAUSED'] : []),
    ...(state.filter === '' ? [] : [`filter: ${state.filter} (${total})`]),
  ];
  return paint.dim(spread(keys[state.mode], marks.join('  '), columns));
}
