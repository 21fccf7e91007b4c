import { isDeepStrictEqual } from 'node:util';
import { stricter } from './differences.ts';
import type { Trial } from './mutation.ts';
import type { Oracle, TheirVerdict } from './oracle.ts';
import { contentOf, type OurReader, type OurVerdict } from './ours.ts';

/** `failure` is null where the two agree or differ in a way that is known; `kind` is what is counted. */
export interface Comparison {
  kind: string;
  failure: string | null;
}

/** Both are used for one trial after the other: making them costs more than a trial. */
export interface Judges {
  oracle: Oracle;
  reader: OurReader;
}

/** Judges one trial with both parsers, whole and in pieces. */
export function compare(trial: Trial, { oracle, reader }: Judges): Comparison {
  const ours = readWhole(trial, reader);
  const pieces = readPieces(trial, ours, reader);
  if (!isDeepStrictEqual(pieces, ours)) {
    return fail(`pieces change our verdict: ${JSON.stringify(ours)} became ${JSON.stringify(pieces)}`);
  }
  const whole = oracle.judge(trial, [trial.bytes.length], ours.messages.at(-1)?.framing === 'until-close');
  const difference = compareMessages(trial, ours, whole) ?? comparePieces(trial, ours, oracle);
  return difference === null ? classify(trial, ours, whole, reader) : fail(difference);
}

function fail(failure: string): Comparison {
  return { kind: 'failure', failure };
}

function readWhole(trial: Trial, reader: OurReader): OurVerdict {
  reader.start(trial);
  reader.read(trial.bytes, trial.bytes.length, 0);
  return reader.verdict;
}

/** Each piece arrives in other memory than the one before, at another position. */
function readPieces(trial: Trial, whole: OurVerdict, reader: OurReader): OurVerdict {
  reader.start(trial);
  let moved = 0;
  for (const end of piecesOf(trial, whole)) {
    const bytes = Buffer.allocUnsafe(moved + end);
    trial.bytes.copy(bytes, moved, 0, end);
    reader.read(bytes, end, moved);
    moved = (moved + 3) % 7;
  }
  return reader.verdict;
}

/** The trial's cuts, one before the end of each message and one at it. */
function piecesOf(trial: Trial, ours: OurVerdict): number[] {
  const ends = new Set([...trial.cuts, trial.bytes.length]);
  for (const { end } of ours.messages) {
    if (end <= 0) continue;
    ends.add(end - 1);
    ends.add(end);
  }
  return [...ends].filter((end) => end > 0).sort((a, b) => a - b);
}

/** Every message of ours must be one of theirs, with the same content; and none may be missing. */
function compareMessages(trial: Trial, ours: OurVerdict, theirs: TheirVerdict): string | null {
  for (const [index, message] of ours.messages.entries()) {
    const other = theirs.messages[index];
    if (other === undefined) return `ours accepts message ${index}, theirs does not: ${theirs.error}`;
    const isComplete = message.end >= 0 || message.framing === 'until-close';
    if (ours.ending === 'refused' && !isComplete) continue;
    if (other.title !== message.title) return `message ${index} is ${message.title}, theirs ${other.title}`;
    if (other.complete !== isComplete)
      return `message ${index} complete: ${isComplete}, theirs ${other.complete}`;
    // Of a response without body llhttp says so before it knows what request it answers.
    const comparable = trial.side === 'request' || message.framing !== 'none';
    if (comparable && message.keepAlive && !other.keepAlive)
      return `after message ${index} only ours goes on`;
    if (message.framing === 'tunnel') continue;
    const content = contentOf(trial.bytes, message);
    if (!content.equals(Buffer.concat(other.content))) return `message ${index} has other content`;
  }
  return null;
}

/** The last byte of each message, and no other, completes it for both. */
function comparePieces(trial: Trial, ours: OurVerdict, oracle: Oracle): string | null {
  const ends = piecesOf(trial, ours);
  const { completeAfter } = oracle.judge(trial, ends, false);
  for (const [index, end] of ends.entries()) {
    if (end > ours.at) break;
    const expected = ours.messages.filter((message) => message.end >= 0 && message.end <= end).length;
    if (completeAfter[index] !== expected) {
      return `after byte ${end} ours has ${expected} complete messages, theirs ${completeAfter[index]}`;
    }
  }
  return null;
}

function classify(trial: Trial, ours: OurVerdict, theirs: TheirVerdict, reader: OurReader): Comparison {
  const more = theirs.messages.length > ours.messages.length;
  switch (ours.ending) {
    case 'refused':
      return classifyRefusal(trial, ours, theirs);
    case 'closed':
      // All of our messages are complete in theirs: an error is about what came after them.
      return { kind: 'both accept', failure: null };
    case 'in-head':
      return theirs.error === null
        ? { kind: 'both wait', failure: null }
        : completeHead(trial, theirs, reader);
    default:
      if (theirs.error !== null) return fail(`ours is ${ours.ending}, theirs: ${theirs.error}`);
      if (more) return fail(`theirs has ${theirs.messages.length} messages, ours ${ours.messages.length}`);
      return { kind: ours.ending === 'open' ? 'both accept' : 'both wait', failure: null };
  }
}

function classifyRefusal(trial: Trial, ours: OurVerdict, theirs: TheirVerdict): Comparison {
  const begun = ours.messages.filter((message) => message.end >= 0).length;
  const complete = theirs.messages.filter((message) => message.complete).length;
  if (theirs.error !== null && complete <= begun) return { kind: 'both refuse', failure: null };
  const code = ours.refused!;
  const reason = stricter[code];
  if (reason === undefined) return fail(`ours refuses with ${code}, theirs does not`);
  return { kind: `stricter, ${trial.side}: ${code}`, failure: null };
}

/** Theirs refuses at once what ours judges with the rest of the line or head: it must not pass then either. */
function completeHead(trial: Trial, theirs: TheirVerdict, reader: OurReader): Comparison {
  for (const rest of ['\r\n\r\n', '\n\r\n', ':\r\n\r\n', '\r\nHost: a.test\r\n\r\n']) {
    const bytes = Buffer.concat([trial.bytes, Buffer.from(rest)]);
    const { ending, messages } = readWhole({ ...trial, bytes }, reader);
    if (ending === 'refused') continue;
    if (ending !== 'in-head')
      return fail(`ours accepts with ${messages.length} messages what theirs refuses: ${theirs.error}`);
  }
  return { kind: 'theirs refuses earlier', failure: null };
}
