import type { TrailEvent } from '../connection-record.ts';
import type { RecordSummary } from '../record-summary.ts';
import { endingSentence } from './endings.ts';
import { type Alike, Facts, type StoryContext } from './facts.ts';
import { byteWords, durationWords, grouped, listWords, placeWords } from './words.ts';

/**
 * What happened to a connection, in plain sentences: who came, what it sent, where it was taken,
 * and how it ended or what it waits for. Everything in it comes from the record.
 */
export function tellStory(summary: RecordSummary, { timeouts, now, alike }: StoryContext): string {
  const facts = new Facts(summary, timeouts);
  const sentences = [
    arrival(summary),
    firstBytes(facts),
    routed(facts),
    kernel(facts),
    ...dials(facts),
    tls(facts),
    handler(facts),
    requests(facts),
    transfer(facts),
    summary.termination === null
      ? presence(facts, now)
      : endingSentence(summary.termination.reason, facts) + others(alike),
  ];
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

function arrival({ client, localPort, startedAt, events }: RecordSummary): string {
  const when = startedAt.slice(11, 19);
  const header = events.find(({ what }) => what === 'proxy-header' || what === 'bridged');
  const through =
    header === undefined
      ? ''
      : header.what === 'bridged'
        ? ', brought by the SmartProxy in front'
        : ', as a PROXY header said';
  return `At ${when} UTC the client ${placeWords(client.ip, client.port)} connected to port ${localPort}${through}.`;
}

function firstBytes(facts: Facts): string {
  const hello = facts.event('hello');
  if (hello !== undefined) return `It sent ${bytesOf(hello)} of ClientHello ${nameOf(hello)}${offer(facts)}.`;
  const first = facts.event('first-bytes');
  if (first === undefined) return '';
  const kind = first.kind === 'http' ? 'clear-text HTTP' : 'which is neither TLS nor HTTP';
  return `It sent ${bytesOf(first)}, ${kind}.`;
}

function bytesOf({ bytes }: TrailEvent): string {
  return byteWords(typeof bytes === 'number' ? bytes : 0);
}

function nameOf({ serverName, ech }: TrailEvent): string {
  if (typeof serverName !== 'string') return 'without a name';
  return ech === undefined
    ? `for ${serverName}`
    : `for ${serverName} (the outer name; the inner one is encrypted)`;
}

function offer({ summary }: Facts): string {
  const alpn = summary.tls?.alpn ?? [];
  return alpn.length === 0 ? '' : `, offering ${listWords(alpn)}`;
}

function routed({ summary }: Facts): string {
  return summary.route === null ? '' : `The route ${summary.route} took it.`;
}

function kernel({ summary: { engine, target } }: Facts): string {
  if (engine !== 'nftables' || target === null) return '';
  return `The kernel forwards it to ${placeWords(target.host, target.port)}.`;
}

/** Each attempt with how long it took, and what came of it. */
function dials({ summary }: Facts): string[] {
  const { events } = summary;
  return events.flatMap((event, index) => {
    if (event.what !== 'dialing') return [];
    const outcome = events.slice(index + 1).find(({ what }) => what !== 'client-ended');
    return [dial(placeWords(String(event.host), Number(event.port)), event, outcome)];
  });
}

function dial(target: string, { atMs }: TrailEvent, outcome: TrailEvent | undefined): string {
  if (outcome === undefined) return `The target ${target} is being dialled.`;
  const took = durationWords(outcome.atMs - atMs);
  if (outcome.what === 'connected') return `The target ${target} accepted the connection after ${took}.`;
  if (outcome.what !== 'dial-failed') return `The target ${target} had not answered after ${took}.`;
  return `${failedDial(target, `${outcome.reason}`)} after ${took} (${outcome.error}).`;
}

function failedDial(target: string, reason: string): string {
  switch (reason) {
    case 'connect-refused':
      return `The target ${target} refused the connection`;
    case 'dns-failed':
      return `The name of the target ${target} could not be looked up`;
    case 'connect-unreachable':
      return `The target ${target} could not be reached`;
    case 'target-timed-out':
      return `TCP gave up on the target ${target}`;
    default:
      return `The dial to the target ${target} failed`;
  }
}

function tls(facts: Facts): string {
  const done = facts.event('tls-established');
  if (done === undefined) return '';
  const { version, alpn, resumed, clientCertificate, atMs } = done;
  const details = [
    String(version),
    ...(typeof alpn === 'string' ? [alpn] : []),
    ...(resumed === true ? ['a resumed session'] : []),
    ...(clientCertificate === true ? ['with a certificate of the client'] : []),
  ];
  return `TLS was agreed on ${durationWords(atMs)} after the beginning (${details.join(', ')}).`;
}

function handler(facts: Facts): string {
  const threw = facts.event('handler-threw');
  if (threw !== undefined) return `A listener of the handler's stream threw: ${threw.message}.`;
  const failed = facts.lastEvent('handler-failed');
  return failed === undefined ? '' : `The handler of the route ${failed.route} failed: ${failed.message}.`;
}

function requests(facts: Facts): string {
  const { summary } = facts;
  if (!summary.viaNetworkProxy || summary.requests === 0) return '';
  const many = summary.requests === 1 ? 'one request' : `${grouped(summary.requests)} requests`;
  const failed = facts.lastEvent('request-failed');
  return failed === undefined ? `It made ${many}.` : `It made ${many}. ${failedRequest(failed)}`;
}

function failedRequest({ method, route, requestId, status, error }: TrailEvent): string {
  const where = typeof route === 'string' ? ` on the route ${route}` : '';
  const answer = typeof status === 'number' ? `answered with ${status}` : 'not answered';
  return `The last that failed was a ${method}${where} (id ${requestId}), ${answer}: ${error}.`;
}

/** Only where bytes could cross: before that what the client sent is told with its first bytes. */
function transfer({ summary, phase }: Facts): string {
  if (phase !== 'established' && phase !== 'half-closed') return '';
  const { fromClient, toClient } = summary.bytes;
  const tense = summary.termination === null ? 'has sent' : 'sent';
  const got = summary.termination === null ? 'has got' : 'got';
  return `The client ${tense} ${byteWords(fromClient)} and ${got} ${byteWords(toClient)}.`;
}

/** Of a connection that lives. */
function presence(facts: Facts, now: number): string {
  const { state, startedAt, lastActivityAt } = facts.summary;
  const age = durationWords(now - Date.parse(startedAt));
  const quiet = durationWords(now - Date.parse(lastActivityAt));
  return `It is ${state} now, ${age} old; the last byte was ${quiet} ago.`;
}

function others(alike: Alike | null): string {
  if (alike === null || alike.today === 0) return '';
  const count = `${alike.complete ? '' : 'at least '}${grouped(alike.today)}`;
  return ` ${count.charAt(0).toUpperCase()}${count.slice(1)} ${alike.today === 1 ? 'other' : 'others'} today.`;
}
