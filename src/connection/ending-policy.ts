import { errorCode } from '../base/errors.ts';
import type { TerminationReason } from '../base/termination.ts';
import type { ExpiredDeadline } from './deadlines.ts';

export type Side = 'client' | 'target';

/**
 * What an ending does to a socket. `finish`: everything pending, then FIN, then a grace for the
 * peer's FIN. `reset`: RST, pending bytes are dropped.
 */
export type ClosingEffect = 'finish' | 'reset';

/** Endings in which nobody was cut short. */
const gracefulReasons: ReadonlySet<TerminationReason> = new Set<TerminationReason>([
  'client-closed',
  'target-closed',
  'handler-ended',
  'responded',
  'kernel-closed',
]);

/**
 * A truncation never looks like success: once the two sides were joined, whatever ends them other
 * than by agreement resets both. Before that nobody can have taken half an answer for a whole one.
 */
export function closingEffect(reason: TerminationReason, joined: boolean): ClosingEffect {
  return joined && !gracefulReasons.has(reason) ? 'reset' : 'finish';
}

const deadlineReasons: Record<Exclude<ExpiredDeadline, 'cleanupGrace'>, TerminationReason> = {
  initialData: 'initial-data-timeout',
  targetSelection: 'target-selection-failed',
  connect: 'connect-timeout',
  tlsHandshake: 'tls-handshake-timeout',
  inactivity: 'inactivity',
  halfClose: 'half-close-timeout',
  stalledWrite: 'stalled-write',
  maxLifetime: 'max-lifetime',
};

export function reasonOfDeadline(expired: Exclude<ExpiredDeadline, 'cleanupGrace'>): TerminationReason {
  return deadlineReasons[expired];
}

/** Why a socket of this side failed. Without an error it closed although nobody had ended it. */
export function reasonOfFailure(side: Side, error: unknown): TerminationReason {
  switch (errorCode(error)) {
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return side === 'client' ? 'client-timed-out' : 'target-timed-out';
    case 'ENOBUFS':
    case 'ENOMEM':
      return 'resource-exhausted';
    default:
      return side === 'client' ? 'client-reset' : 'target-reset';
  }
}
