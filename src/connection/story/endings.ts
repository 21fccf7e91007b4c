import type { TerminationReason } from '../../base/termination.ts';
import type { Facts } from './facts.ts';
import { byteWords, durationWords } from './words.ts';

/** The sentence that tells the ending itself, for every reason that there is. */
export function endingSentence(reason: TerminationReason, facts: Facts): string {
  return sentences[reason](facts);
}

const sentences: Record<TerminationReason, (facts: Facts) => string> = {
  'client-closed': clientClosed,
  'client-reset': (facts) =>
    `The client reset the connection ${clientWhen(facts)}${facts.bothReset('target')}.`,
  'client-timed-out': (facts) =>
    `TCP gave up on the client ${clientWhen(facts)}${facts.error}: it no longer acknowledged${facts.bothReset('target')}.`,
  'target-closed': (facts) =>
    `${capital(facts.target)} sent its FIN first${fin(facts, 'target')}; everything was delivered, and both sides closed.`,
  'target-reset': (facts) =>
    `${capital(facts.target)} reset the connection after ${facts.lasted}${facts.error}${facts.bothReset('client')}.`,
  'target-timed-out': (facts) => `TCP gave up on ${facts.target} after ${facts.lasted}${facts.error}.`,
  'connect-refused': () => 'No target was left to try, so the client was closed.',
  'connect-unreachable': () => 'No target could be reached, so the client was closed.',
  'dns-failed': () => "The target's name has no address, so the client was closed.",
  'target-tls-failed': (facts) => `TLS could not be agreed on with ${facts.target}${facts.error}.`,
  'no-route': (facts) => `No route takes such a connection${facts.error}.`,
  blocked: (facts) =>
    facts.summary.route === null
      ? 'It was blocked.'
      : `The route ${facts.summary.route} turns this client away: it is a block route, or its allow and block lists say so.`,
  'connection-limit': () => 'It was one more than maxConnections or maxConnectionsPerIp allows.',
  'rate-limit': () => 'Its address opened more connections than connectionsPerMinutePerIp allows.',
  'initial-data-timeout': initialDataTimeout,
  'invalid-proxy-header': (facts) => `What it sent is no PROXY header that can be believed${facts.error}.`,
  'invalid-hello': (facts) => `What it sent is no ClientHello that can be read${facts.error}.`,
  'initial-data-too-large': (facts) =>
    `Its first bytes were longer than initialDataBytes allows: ${byteWords(facts.summary.bytes.fromClient)} had come.`,
  'target-selection-failed': (facts) => `The function that chooses the target failed${facts.error}.`,
  'connect-timeout': (facts) =>
    `No target was reached in time (${facts.setting('connectMs')}), so the client was closed.`,
  'tls-handshake-failed': (facts) => `TLS could not be agreed on with the client${facts.error}.`,
  'tls-handshake-timeout': (facts) =>
    `The client did not finish the TLS handshake in time (${facts.setting('tlsHandshakeMs')}).`,
  'invalid-request': (facts) => `The client sent something that is no sound HTTP request${facts.error}.`,
  'request-timeout': (facts) =>
    `A request did not come in time (${facts.setting('requestHeadMs')}; ${facts.setting('requestBodyMs')}).`,
  'keep-alive-timeout': (facts) => `No further request came in time (${facts.setting('keepAliveMs')}).`,
  'protocol-abuse': (facts) => `The client sent a flood that only an attack sends${facts.error}.`,
  inactivity: (facts) =>
    `No byte went either way for too long (${facts.setting('inactivityMs')})${bothWereReset(facts)}.`,
  'half-close-timeout': (facts) =>
    `${firstEnded(facts)} had sent its FIN, and then nothing came for too long (${facts.setting('halfCloseMs')})${bothWereReset(facts)}.`,
  'stalled-write': (facts) =>
    `One side stopped reading: bytes waited for it and made no progress (${facts.setting('stalledWriteMs')})${bothWereReset(facts)}.`,
  'max-lifetime': (facts) =>
    `It was as old as it may get (${facts.setting('maxLifetimeMs')})${bothWereReset(facts)}.`,
  'route-removed': (facts) =>
    `A reload had removed the route ${facts.summary.route}, and the time to finish was over (${facts.setting('shutdownGraceMs')})${bothWereReset(facts)}.`,
  'resource-exhausted': (facts) => `Descriptors, ports or memory ran out${facts.error}.`,
  'handler-ended': () => 'The handler ended its stream.',
  'handler-failed': (facts) => `The handler failed${facts.error}.`,
  responded: () => 'The proxy had answered, and closed the connection after the answer.',
  orphaned: () => 'Its sockets were gone although nothing had said so: the audit found that. This is a bug.',
  'internal-error': (facts) => `Something failed inside of the proxy${facts.error}. This is a bug.`,
  shutdown: (facts) =>
    `The proxy was being stopped, and ended it (${facts.setting('shutdownGraceMs')})${bothWereReset(facts)}.`,
  operator: (facts) =>
    `An operator ended it, by smartproxy terminate or the admin API${bothWereReset(facts)}.`,
  'kernel-closed': (facts) => `${firstEnded(facts)} sent its FIN first, and both sides closed.`,
  'kernel-reset': kernelReset,
  'kernel-expired': (facts) =>
    facts.summary.exact === false
      ? 'How it ended is not known: the kernel had more events than room for them.'
      : 'The kernel heard nothing of it for so long that it forgot it.',
};

function kernelReset(facts: Facts): string {
  const { summary, phase } = facts;
  if (phase === 'accepted') return `${capital(facts.target)} refused the connection.`;
  const by = summary.events.find(({ what }) => what === 'reset')?.by;
  if (by === 'client') return `The client reset it after ${facts.lasted}.`;
  if (by === 'target') return `${capital(facts.target)} reset it after ${facts.lasted}.`;
  return `${firstEnded(facts)} sent its FIN, and then one side reset it.`;
}

function clientClosed(facts: Facts): string {
  const { bytes, events } = facts.summary;
  const silent = bytes.fromClient === 0 && bytes.toClient === 0;
  switch (facts.phase) {
    case 'reading-first-bytes':
      if (silent) return 'The client closed without having sent a byte, as health checks do.';
      return `The client closed before its first bytes were complete: ${byteWords(bytes.fromClient)} had come.`;
    case 'dialing':
      return `The client closed while ${facts.target} was being dialled, after ${facts.sinceLastMove}.`;
    case 'handed-over':
      return `The client closed before ${facts.summary.tls === null ? 'its first request' : 'the TLS handshake was finished'}.`;
    default: {
      const unjoined = silent && !events.some(({ what }) => what === 'target-ended');
      if (unjoined) return 'The client closed without having sent a byte.';
      return `The client sent its FIN first${fin(facts, 'client')}; everything was delivered, and both sides closed.`;
    }
  }
}

/** When, in the words of the phase. */
function clientWhen(facts: Facts): string {
  const { fromClient } = facts.summary.bytes;
  switch (facts.phase) {
    case 'reading-first-bytes':
      return fromClient === 0
        ? 'before it had sent a byte'
        : `before its first bytes were complete: ${byteWords(fromClient)} had come`;
    case 'dialing':
      return `while ${facts.target} was being dialled, after ${facts.sinceLastMove}`;
    case 'handed-over':
      return facts.summary.tls === null ? 'before its first request' : 'in the middle of the TLS handshake';
    default:
      return `after ${facts.lasted}`;
  }
}

function initialDataTimeout(facts: Facts): string {
  const { fromClient } = facts.summary.bytes;
  const sent = fromClient === 0 ? 'not a byte' : `only ${byteWords(fromClient)}`;
  return `The first bytes, which tell the route, were not complete after ${facts.lasted} (initialDataMs): ${sent} had come.`;
}

function fin(facts: Facts, side: 'client' | 'target'): string {
  const event = facts.event(`${side}-ended`);
  return event === undefined ? '' : `, after ${durationWords(event.atMs)}`;
}

function firstEnded(facts: Facts): string {
  const first = facts.summary.events.find(({ what }) => what === 'client-ended' || what === 'target-ended');
  return first?.what === 'target-ended' ? capital(facts.target) : 'The client';
}

function bothWereReset(facts: Facts): string {
  return facts.joined && !facts.summary.viaNetworkProxy
    ? '; both sides were reset, so that nothing cut short looks complete'
    : '';
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
