/**
 * The vocabulary of endings: who ended a connection, why, and in which phase.
 * One table serves types, statistics, logs, documentation and tests.
 */

/** Who caused the ending. `kernel` is for flows that nftables forwarded. */
export type Initiator = 'client' | 'target' | 'proxy' | 'operator' | 'kernel';

/** Every reason with the party that it blames. The order is the one of the documentation. */
export const reasonInitiators = {
  'client-closed': 'client',
  'client-reset': 'client',
  'client-timed-out': 'client',
  'target-closed': 'target',
  'target-reset': 'target',
  'target-timed-out': 'target',
  'connect-refused': 'target',
  'connect-unreachable': 'target',
  'dns-failed': 'target',
  'target-tls-failed': 'target',
  'no-route': 'proxy',
  blocked: 'proxy',
  'connection-limit': 'proxy',
  'rate-limit': 'proxy',
  'initial-data-timeout': 'proxy',
  'invalid-proxy-header': 'proxy',
  'invalid-hello': 'proxy',
  'initial-data-too-large': 'proxy',
  'target-selection-failed': 'proxy',
  'connect-timeout': 'proxy',
  'tls-handshake-failed': 'proxy',
  'tls-handshake-timeout': 'proxy',
  'invalid-request': 'proxy',
  'request-timeout': 'proxy',
  'keep-alive-timeout': 'proxy',
  'protocol-abuse': 'proxy',
  inactivity: 'proxy',
  'half-close-timeout': 'proxy',
  'stalled-write': 'proxy',
  'max-lifetime': 'proxy',
  'route-removed': 'proxy',
  'resource-exhausted': 'proxy',
  'handler-ended': 'proxy',
  'handler-failed': 'proxy',
  responded: 'proxy',
  orphaned: 'proxy',
  'internal-error': 'proxy',
  shutdown: 'operator',
  operator: 'operator',
  'kernel-closed': 'kernel',
  'kernel-reset': 'kernel',
  'kernel-expired': 'kernel',
} as const satisfies Record<string, Initiator>;

/** Why a connection ended. Each has a heading in docs/errors.md. */
export type TerminationReason = keyof typeof reasonInitiators;

/** Where a connection is in its life; also the phase in which its ending struck. */
export type ConnectionState =
  | 'accepted'
  | 'reading-first-bytes'
  | 'routing'
  | 'dialing'
  | 'handed-over'
  | 'established'
  | 'half-closed'
  | 'closing'
  | 'closed';

/** The states that a connection may move to from each state. `closed` is final. */
export const legalMoves: Record<ConnectionState, readonly ConnectionState[]> = {
  accepted: ['reading-first-bytes', 'routing', 'established', 'closing'],
  'reading-first-bytes': ['routing', 'closing'],
  routing: ['dialing', 'handed-over', 'established', 'closing'],
  dialing: ['established', 'closing'],
  'handed-over': ['established', 'closing'],
  established: ['half-closed', 'closing'],
  'half-closed': ['closing'],
  closing: ['closed'],
  closed: [],
};

/** How a connection ended, as the API, the log and the events tell it. */
export interface Termination {
  reason: TerminationReason;
  initiator: Initiator;
  /** The state in which the first cause struck. */
  phase: ConnectionState;
  /** The underlying error, where there was one. */
  error: { code: string | null; message: string } | null;
  /** ISO 8601, UTC: when the first cause struck. */
  endedAt: string;
  /** Milliseconds from accept to the first cause. */
  durationMs: number;
}

/** What a listener or a timer reports to `initiateCleanupOnce`. */
export interface Cause {
  reason: TerminationReason;
  error?: unknown;
}
