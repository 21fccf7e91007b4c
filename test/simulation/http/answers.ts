import type { Deed } from '../peer.ts';
import { Choices } from '../random.ts';
import { ascii } from './requests.ts';

/** `end`: the answer is whole with it. `unasked`: nobody waits for it. */
type AnswerPart = 'answer' | 'end' | 'unasked' | 'tunnel';

/** What a backend does on its connection, one after the other. `nothing`: it only waits. */
export type BackendAct = { readonly afterMs: number } & (
  | { readonly deed: 'write'; readonly bytes: Uint8Array; readonly part: AnswerPart }
  | { readonly deed: Deed }
);

/** How a backend treats one request. */
export interface AnswerPlan {
  /** As soon as its head is there, or once all of it is. */
  readonly when: 'head' | 'complete';
  readonly acts: readonly BackendAct[];
  readonly status: number;
  /** Content that it means to send. */
  readonly body: string;
  readonly trailers: boolean;
  /** How its end is told. */
  readonly framing: 'none' | 'length' | 'chunked' | 'until-end' | 'tunnel';
  /** The answer is malformed: nothing of it may reach a client. */
  readonly nonsense: boolean;
  /** Sends back what comes through the tunnel. */
  readonly echoes: boolean;
}

/** What a request tells of how it can be answered. */
export interface Asking {
  readonly token: string;
  readonly method: string;
  readonly upgrade: boolean;
  readonly expects: boolean;
}

/** The answer to one request, the same for a seed whatever else happens. `attempt` counts from 0. */
export function answerPlan(seed: number, asking: Asking, attempt: number): AnswerPlan {
  const choices = new Choices(hash(`${seed} ${asking.token} ${attempt}`));
  const kind = choices.weighted({ whole: 30, cut: 4, silent: 1.5, nonsense: 1, unasked: 1.5, leaves: 5 });
  const shape = shapeOf(choices, asking);
  const text = answerText(choices, asking, attempt, shape);
  const bytes = ascii(kind === 'nonsense' ? nonsenseOf(choices, text) : text);
  const acts: BackendAct[] = [];
  if (asking.expects && choices.chance(0.8)) interim(acts, 'HTTP/1.1 100 Continue\r\n\r\n');
  else if (choices.chance(0.05)) interim(acts, 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
  if (kind !== 'silent') writeAnswer(choices, bytes, kind === 'cut', acts);
  if (kind === 'silent' || kind === 'cut') maybe(choices, acts, leaving(choices));
  else if (shape.framing === 'until-end') acts.push({ afterMs: choices.of([0, 0, 30]), deed: 'fin' });
  else if (shape.framing === 'tunnel') tunnelActs(choices, acts);
  else if (shape.closes || kind === 'leaves') acts.push(leaving(choices));
  else if (kind === 'unasked') acts.push(unasked(choices));
  return {
    ...shape,
    when: choices.chance(asking.expects ? 0 : 0.1) ? 'head' : 'complete',
    acts,
    nonsense: kind === 'nonsense',
    echoes: choices.chance(0.7),
  };
}

function hash(text: string): number {
  let value = 2_166_136_261;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 16_777_619);
  }
  return value >>> 0;
}

type Shape = Pick<AnswerPlan, 'status' | 'body' | 'trailers' | 'framing'> & { closes: boolean };

function shapeOf(choices: Choices, { method, upgrade }: Asking): Shape {
  const bare = { body: '', trailers: false, closes: false };
  if (upgrade && choices.chance(0.7)) return { ...bare, status: 101, framing: 'tunnel' };
  const status = choices.weighted({ 200: 20, 201: 2, 204: 1, 304: 1, 404: 2, 500: 1, 503: 0.5 });
  const closes = choices.chance(0.1);
  if (status === '204' || status === '304')
    return { ...bare, status: Number(status), framing: 'none', closes };
  const body = text(
    choices,
    choices.of([
      0,
      choices.between(1, 30),
      choices.between(1, 400),
      choices.between(400, 4_000),
      choices.between(400, 12_000),
    ]),
  );
  const framing = choices.of(['length', 'length', 'length', 'chunked', 'chunked', 'until-end'] as const);
  if (method === 'HEAD') return { ...bare, status: Number(status), body: '', framing: 'none', closes };
  const trailers = framing === 'chunked' && choices.chance(0.2);
  return { status: Number(status), body, trailers, framing, closes };
}

/** Content that shows where it is from. */
function text(choices: Choices, length: number): string {
  return Buffer.from(choices.bytes(length)).toString('latin1');
}

function answerText(choices: Choices, asking: Asking, attempt: number, shape: Shape): string {
  const { status, framing, body, closes, trailers } = shape;
  const lines = [`HTTP/1.${choices.chance(0.04) && framing === 'until-end' ? 0 : 1} ${status} Simulated`];
  lines.push(`X-Answer: ${asking.token} ${attempt}`);
  if (choices.chance(0.2)) lines.push('X-Secret: nobody should see this');
  if (framing === 'length') lines.push(`Content-Length: ${body.length}`);
  if (framing === 'none' && status !== 204 && asking.method === 'HEAD')
    lines.push(`Content-Length: ${choices.between(0, 9_999)}`);
  if (framing === 'chunked') lines.push('Transfer-Encoding: chunked');
  if (framing === 'tunnel') lines.push('Connection: Upgrade', 'Upgrade: echo');
  else if (closes) lines.push('Connection: close');
  const head = `${lines.join('\r\n')}\r\n\r\n`;
  if (framing !== 'chunked') return head + body;
  return `${head}${chunks(choices, body)}0\r\n${trailers ? 'X-Sum: 1\r\n' : ''}\r\n`;
}

function chunks(choices: Choices, body: string): string {
  let coded = '';
  for (let from = 0; from < body.length; ) {
    const size = choices.between(1, body.length - from);
    coded += `${size.toString(16)}${choices.chance(0.1) ? ';a=b' : ''}\r\n${body.slice(from, from + size)}\r\n`;
    from += size;
  }
  return coded;
}

function nonsenseOf(choices: Choices, answer: string): string {
  return choices.of([
    () => answer.replace('X-Answer: ', 'X-Answer : '),
    () => answer.replace('\r\n', '\r\nContent-Length: 1\r\nContent-Length: 2\r\n'),
    () => answer.replace('HTTP/1.', 'HTCPCP/1.'),
    () => answer.replace('\r\n', '\n'),
    () => answer.replace('\r\n', '\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n'),
  ])();
}

function interim(acts: BackendAct[], text: string): void {
  acts.push({ afterMs: 0, deed: 'write', bytes: ascii(text), part: 'answer' });
}

/** In one piece or in several; cut somewhere. */
function writeAnswer(choices: Choices, bytes: Uint8Array, cut: boolean, acts: BackendAct[]): void {
  const pieces = choices.of([1, 1, 2, 5]);
  const pauseMs = choices.of([0, 0, 2, 40, 300]);
  const until = cut ? choices.between(0, bytes.length - 1) : bytes.length;
  let afterMs = choices.of([0, 0, choices.between(0, 10), choices.between(0, 400)]);
  for (let from = 0, piece = 1; from < until; piece++) {
    const to = piece >= pieces ? until : choices.between(from + 1, until);
    const part = to === bytes.length ? 'end' : 'answer';
    acts.push({ afterMs, deed: 'write', bytes: bytes.subarray(from, to), part });
    from = to;
    afterMs = pauseMs;
  }
}

function leaving(choices: Choices): BackendAct {
  const deed = choices.weighted<'fin' | 'destroy' | 'reset' | 'give-up'>({
    fin: 4,
    destroy: 3,
    reset: 2,
    'give-up': 0.5,
  });
  return { afterMs: choices.of([0, 0, choices.between(0, 30), choices.between(0, 1_500)]), deed };
}

function maybe(choices: Choices, acts: BackendAct[], act: BackendAct): void {
  if (choices.chance(0.8)) acts.push(act);
}

/** Straight behind its answer, or while nobody asks. */
function unasked(choices: Choices): BackendAct {
  const words = 'HTTP/1.1 200 OK\r\nX-Answer: unasked\r\nContent-Length: 4\r\n\r\nevil';
  const late = 'HTTP/1.1 408 Request Timeout\r\nX-Answer: unasked\r\n\r\n';
  const bytes = ascii(choices.of([words, words, late, 'x', '\r\n']));
  return { afterMs: choices.of([0, 0, choices.between(0, 200)]), deed: 'write', bytes, part: 'unasked' };
}

function tunnelActs(choices: Choices, acts: BackendAct[]): void {
  for (let left = choices.of([0, 1, 1, 3]); left > 0; left--) {
    const afterMs = choices.of([0, choices.between(0, 20), choices.between(0, 300)]);
    acts.push({ afterMs, deed: 'write', bytes: choices.bytes(choices.between(1, 500)), part: 'tunnel' });
  }
  maybe(choices, acts, leaving(choices));
}
