import { type Conversation, clientIp, firstFault } from './conversation.ts';
import type { Journal, LoggedRequest } from './journal.ts';
import { type Message, statusOf } from './message-reader.ts';
import type { RequestPlan } from './requests.ts';
import { guardedFrom, pageBody } from './routes.ts';

type Say = (problem: string) => void;

/**
 * What a client was answered: each request at most once and in order, by its own answer or a page
 * of ours; byte for byte what the backend sent, and never whole where that was cut (H7, H9).
 */
export function checkAnswers(conversation: Conversation, journal: Journal, say: Say): void {
  const { peer } = conversation;
  if (peer.nonsense !== null) say(`the client was sent nonsense: ${peer.nonsense}`);
  peer.answers.forEach((answer, index) => {
    const tell = (problem: string): void => say(`answer ${index}: ${problem}`);
    checkAnswer(conversation, journal, { answer, index }, tell);
  });
  checkLog(conversation, say);
  if (peer.sawFin && peer.reader.inMessage && !isLateHead(conversation))
    say('an answer that was cut ended with a FIN');
}

/** A HEAD that was late with its first word gets a page as if it were something else. */
function isLateHead({ peer, plan }: Conversation): boolean {
  const last = peer.answers.at(-1);
  return (
    plan.script.requests[peer.answers.length - 1]?.method === 'HEAD' &&
    last?.startLine.includes(' 408 ') === true
  );
}

interface Place {
  readonly answer: Message;
  readonly index: number;
}

function checkAnswer(conversation: Conversation, journal: Journal, { answer, index }: Place, say: Say): void {
  const request = conversation.plan.script.requests[index];
  const told = answer.fields.get('x-answer');
  if (!answer.startLine.startsWith('HTTP/1.1 ')) say(answer.startLine);
  if (index > firstFault(conversation)) return say('an answer to what came behind a malformed request');
  if (told === undefined) return checkOwnPage(conversation, { answer, index }, say);
  if (request === undefined) return say(`nothing was asked, but ${told} came`);
  if (told === 'unasked') return checkUnasked(journal, request, say);
  const arrivals = journal.arrivalsOf(request.token);
  const arrival = arrivals.at(-1);
  if (arrival === undefined || told !== `${request.token} ${arrival.attempt}`)
    return say(`${request.token} got the answer to ${told}`);
  if (arrival.plan.nonsense) say('a malformed answer was passed on');
  const sent = arrival.backend.sentAnswer(arrival);
  if (sent === null) return say('an answer that was never sent');
  checkPassedOn(request, answer, sent.answer, say);
  const interims = conversation.peer.interims[index] ?? 0;
  const expected = request.version === '1.0' ? 0 : sent.interims;
  if (interims !== expected) say(`${interims} of ${expected} interim answers`);
}

/** An answer as the client saw it, and as the backend sent it. */
function checkPassedOn(request: RequestPlan, answer: Message, sent: Message, say: Say): void {
  const status = statusOf(answer.startLine);
  if (status !== statusOf(sent.startLine)) say(`${status} in place of ${sent.startLine}`);
  if (!sent.body.startsWith(answer.body)) say('content that was not sent');
  if (answer.complete && answer.framing !== 'tunnel') {
    if (!sent.complete) say('an answer that was cut looks whole');
    else if (answer.body !== sent.body) say(`whole with ${answer.body.length} of ${sent.body.length} bytes`);
    if (answer.framing === 'chunked' && answer.trailers !== sent.trailers) say('other trailers');
  }
  if (request.version === '1.0' && answer.framing === 'chunked') say('chunks for HTTP/1.0');
  const goesOn = answer.framing === 'tunnel' || answer.fields.get('connection')?.includes('close') !== true;
  if (goesOn && request.last && answer.framing !== 'tunnel') say('does not say that the connection ends');
  const strips = request.route === 'strip';
  if (answer.fields.has('x-secret') !== (sent.fields.has('x-secret') && !strips)) say('X-Secret');
  if (answer.fields.has('x-added') !== strips) say('X-Added');
}

/**
 * What a backend says unasked is no answer (H9): unless it came after the request was written, when
 * nobody can know.
 */
function checkUnasked(journal: Journal, { token }: RequestPlan, say: Say): void {
  const backend = journal.arrivalsOf(token).at(-1)?.backend ?? journal.partialBackendOf(token);
  if (backend?.unaskedFrom == null) say('got what some other backend said unasked');
}

/** A page of the proxy's own. */
function checkOwnPage(conversation: Conversation, { answer, index }: Place, say: Say): void {
  const request = conversation.plan.script.requests[index];
  const status = statusOf(answer.startLine);
  const id = answer.fields.get('x-request-id');
  const isWhole = answer.complete && request?.method !== 'HEAD';
  if (id === undefined) {
    if (request?.route === 'moved' && status === 308) return;
    if (request?.route !== 'page' || status !== 200) return say(`a page of nobody: ${answer.startLine}`);
    if (isWhole && answer.body !== pageBody) say('another page');
    return;
  }
  if (!id.startsWith(`${conversation.reading?.record.id}-`)) say(`the page of request ${id}`);
  if (isWhole && !answer.body.includes(`Request: ${id}\n`)) say(`a page that does not name request ${id}`);
  if (!isExplained(status, conversation, request)) say(`${status} for nothing`);
}

/** Whether the request may be told so. */
function isExplained(status: number, conversation: Conversation, request: RequestPlan | undefined): boolean {
  // Bytes for a tunnel that there is none of are read as a request.
  if (request === undefined) return [400, 408, 431, 501, 505, 414].includes(status);
  const { fault, route } = request;
  switch (status) {
    case 400:
      return fault !== null || route === 'ambiguous';
    case 413:
    case 414:
    case 431:
    case 501:
    case 505:
      return fault === 'head';
    case 403:
      return route === 'guarded' && clientIp(conversation) === guardedFrom;
    case 404:
      return ['nowhere', 'stranger', 'old'].includes(route);
    default:
      return [408, 502, 503, 504].includes(status);
  }
}

/** The access log tells of each request once, and what the client was told. */
function checkLog({ peer, entries, plan }: Conversation, say: Say): void {
  const told = peer.answers.filter((answer, index) => !isBeforeRequest(answer, entries[index]));
  told.forEach((answer, index) => {
    const status = statusOf(answer.startLine);
    const entry = entries[index];
    if (entry === undefined) say(`answer ${index}: the log does not know of it`);
    else if (entry.status !== status) say(`answer ${index}: ${status}, the log says ${entry.status}`);
  });
  const last = plan.script.requests.findIndex((request) => request.last && !request.upgrade);
  if (last >= 0 && entries.length > last + 1) say('the connection went on after its last request');
  const answered = entries.filter(({ status }) => status !== null).length;
  if (peer.sawFin && told.length < answered) say(`FIN after ${told.length} of ${answered} answers`);
  if (!peer.sawFin) return;
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes.toClient, 0);
  const before = peer.answers.length - told.length;
  const received = peer.received.length;
  if (before === 0 && bytes !== received) say(`the log counts ${bytes} of ${received} bytes`);
}

/** A page for a head that could not be read, or did not come: nothing was asked yet. */
function isBeforeRequest(answer: Message, entry: LoggedRequest | undefined): boolean {
  const id = answer.fields.get('x-request-id');
  return id !== undefined && id !== entry?.requestId;
}
