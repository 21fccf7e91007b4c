import { type Conversation, clientIp, firstFault } from './conversation.ts';
import type { Arrival, Journal } from './journal.ts';
import { isIdempotent, type RequestPlan } from './requests.ts';
import { guardedFrom } from './routes.ts';

type Say = (problem: string) => void;

const forwarding: readonly RequestPlan['route'][] = [
  'old',
  'web',
  'pair',
  'few',
  'proxied',
  'computed',
  'awaited',
  'strip',
  'guarded',
];

/** What came to backends of one client's requests: as it was meant, and nothing behind what is malformed. */
export function checkUploads(conversation: Conversation, journal: Journal, say: Say): void {
  const fault = firstFault(conversation);
  conversation.plan.script.requests.forEach((request, index) => {
    const tell = (problem: string): void => say(`request ${request.token}: ${problem}`);
    const arrivals = journal.arrivalsOf(request.token);
    if (arrivals.length === 0) return;
    if (index > fault) tell('came to a backend behind a malformed one');
    if (request.fault === 'head') tell('came to a backend although it is malformed');
    if (!forwarding.includes(request.route)) tell(`came to a backend, from route ${request.route}`);
    if (request.route === 'guarded' && clientIp(conversation) === guardedFrom) tell('is not allowed');
    for (const arrival of arrivals) checkArrival(conversation, request, arrival, tell);
  });
}

function checkArrival(conversation: Conversation, request: RequestPlan, arrival: Arrival, say: Say): void {
  const { message } = arrival;
  const { fields } = message;
  const strips = request.route === 'strip';
  const target = strips ? `/${request.token}?q=1` : `/${request.route}/${request.token}?q=1`;
  if (message.startLine !== `${request.method} ${target} HTTP/1.1`) say(`became ${message.startLine}`);
  const host = strips ? 'strip:9000' : 'a.test';
  if (fields.get('host') !== host) say(`is for ${fields.get('host')}`);
  if (fields.get('x-forwarded-for') !== clientIp(conversation))
    say(`is said to be for ${fields.get('x-forwarded-for')}`);
  if (!fields.get('via')?.endsWith(' smartproxy')) say('has no Via');
  if (fields.has('x-private')) say('has a field that Connection names');
  // With a body it stays a request (H3).
  const upgrade = request.upgrade && request.body.length === 0;
  if (fields.has('upgrade') !== upgrade) say('asks for another protocol, or for none');
  if ((fields.get('x-set') === 'by us') !== strips) say('X-Set');
  const body = Buffer.from(request.body).toString('latin1');
  if (!body.startsWith(message.body)) say('has content that was not sent');
  if (message.complete && request.fault === 'body') say('looks whole although its body is malformed');
  if (message.complete && request.fault === null && message.body !== body)
    say(`looks whole with ${message.body.length} of ${body.length} bytes`);
  checkProxyHeader(conversation, arrival, say);
}

/** A backend's connection belongs to the client that its PROXY header names. */
function checkProxyHeader(conversation: Conversation, { backend }: Arrival, say: Say): void {
  const { proxyHeader } = backend;
  if (proxyHeader === null) return;
  const source = [...proxyHeader.subarray(16, 20)].join('.');
  const port = proxyHeader.length >= 26 ? proxyHeader.readUInt16BE(24) : 0;
  const { ip, port: expected } = conversation.reading?.record.clientAddress ?? { ip: '', port: 0 };
  if (source !== ip || port !== expected) say(`came over a connection for ${source}:${port}`);
}

/**
 * A request is repeated once at most, and only where that does no harm (H8): nothing of an answer
 * was read, no byte of its body was given away, its method allows it, and the connection was one
 * that had been used before.
 */
export function checkRepetition(request: RequestPlan, journal: Journal, say: Say): void {
  const arrivals = journal.arrivalsOf(request.token);
  const partial = journal.partialBackendOf(request.token);
  const count = arrivals.length + (partial === undefined ? 0 : 1);
  if (count < 2) return;
  if (count > 2) return say(`came ${count} times to backends`);
  if (!isIdempotent(request)) say('was repeated');
  const places = arrivals.map((arrival) => arrival.backend.arrivals.indexOf(arrival));
  if (partial !== undefined) places.push(partial.arrivals.length);
  if (partial === undefined ? places[0] === 0 : places.every((place) => place === 0))
    say('was repeated although its connection was fresh');
  const [first, second] = arrivals;
  if (first === undefined || second === undefined) return;
  const { backend, message, answerFrom } = first;
  if ((backend.far?.bytesRead ?? 0) > answerFrom) say('was repeated although an answer had begun');
  if (message.body.length > 0) say('was repeated although its body was on its way');
}

/** What the proxy wrote to a backend came after everything that it had read of it (H9). */
export function checkReuse(arrival: Arrival, say: Say): void {
  const { backend } = arrival;
  const before = backend.arrivals[backend.arrivals.indexOf(arrival) - 1];
  const write = backend.writeOf(arrival);
  if (write === undefined) return say('came from nowhere');
  const read = before === undefined ? 0 : (before.answerTo ?? Number.POSITIVE_INFINITY);
  if (write.bytesRead > read) say('was sent over a connection that had spoken unasked');
  if (write.readEnded) say('was sent over a connection that had ended');
}
