import { Choices } from '../../simulation/random.ts';
import { fieldLines, fragments, requests, responses, type Sample } from './samples.ts';

export type Side = 'request' | 'response';

/** One stream of bytes that both parsers judge. */
export interface Trial {
  side: Side;
  bytes: Buffer;
  /** What each final response answers; the last one stands for all that follow. */
  answers: { method: string; upgrade: boolean }[];
  /** Where the stream is cut, ascending, for the delivery in pieces. */
  cuts: number[];
}

const changeNone = 0.12;

/** The trial that a seed stands for. */
export function makeTrial(seed: number): Trial {
  const choices = new Choices(seed);
  const side = choices.chance(0.5) ? 'request' : 'response';
  const pool = side === 'request' ? requests : responses;
  const samples = Array.from({ length: choices.of([1, 1, 1, 2, 3]) }, () => choices.of(pool));
  let text = samples.map((sample) => sample.text).join('');
  if (!choices.chance(changeNone)) {
    for (let left = choices.of([1, 1, 1, 2, 2, 3, 5]); left > 0; left--) text = mutate(text, choices);
  }
  const bytes = Buffer.from(text, 'latin1');
  return { side, bytes, answers: answersOf(samples, choices), cuts: cutsOf(bytes.length, choices) };
}

function answersOf(samples: readonly Sample[], choices: Choices): Trial['answers'] {
  const answers = samples.flatMap((sample) => (sample.answers ? [sample.answers] : []));
  if (answers.length > 0 && choices.chance(0.1)) {
    answers[0] = { method: choices.of(['GET', 'HEAD', 'CONNECT', 'POST']), upgrade: choices.chance(0.5) };
  }
  return answers;
}

/** Mostly a few cuts anywhere; sometimes after every byte of a stretch. */
function cutsOf(length: number, choices: Choices): number[] {
  const cuts = new Set<number>();
  for (let left = choices.between(1, 4); left > 0; left--) cuts.add(choices.between(0, length));
  if (choices.chance(0.1)) {
    const from = choices.between(0, length);
    for (let at = from; at < Math.min(length, from + 40); at++) cuts.add(at);
  }
  return [...cuts].sort((a, b) => a - b);
}

function mutate(text: string, choices: Choices): string {
  const at = choices.between(0, text.length);
  const end = Math.min(text.length, at + choices.between(1, 8));
  const kind = choices.between(0, 11);
  if (kind <= 3) return insertLine(text, choices);
  if (kind === 4)
    return text.slice(0, at) + String.fromCharCode(choices.between(0, 255)) + text.slice(at + 1);
  if (kind === 5) return text.slice(0, at) + text.slice(end);
  if (kind === 6) return text.slice(0, end) + text.slice(at);
  if (kind === 7) return text.slice(0, at) + choices.of(fragments) + text.slice(at);
  if (kind === 8) return text.slice(0, at) + choices.of(fragments) + text.slice(end);
  if (kind === 9) return changeLineEnd(text, choices);
  if (kind === 10) return changeToken(text, choices);
  return choices.chance(0.3) ? text.slice(0, at) : changeToken(text, choices);
}

/** Where some CRLF begins; −1 where there is none. */
function someLineEnd(text: string, choices: Choices): number {
  const at = text.indexOf('\r\n', choices.between(0, text.length));
  return at < 0 ? text.indexOf('\r\n') : at;
}

/** Puts a line between two others: mostly among the fields of a head, sometimes in a body. */
function insertLine(text: string, choices: Choices): string {
  const at = someLineEnd(text, choices);
  if (at < 0) return text + choices.of(fieldLines);
  return `${text.slice(0, at)}\r\n${choices.of(fieldLines)}${text.slice(at)}`;
}

const lineEnds = ['\n', '\r', '\r\r\n', '\n\r', '', '\r\n ', ' \r\n', '\r\n\r\n'];

function changeLineEnd(text: string, choices: Choices): string {
  const at = someLineEnd(text, choices);
  return at < 0 ? text : text.slice(0, at) + choices.of(lineEnds) + text.slice(at + 2);
}

/** Replaces a word or a number with one that means something. */
function changeToken(text: string, choices: Choices): string {
  const words = [...text.matchAll(/[A-Za-z0-9/.-]+/g)];
  if (words.length === 0) return text;
  const word = choices.of(words);
  const end = word.index + word[0].length;
  return (
    text.slice(0, word.index) +
    choices.of(choices.chance(0.5) ? fragments : words.map(([w]) => w)) +
    text.slice(end)
  );
}
