/** The wait that a phase is allowed: at most one at a time for each connection. */
export type PhaseDeadline = 'initialData' | 'targetSelection' | 'connect' | 'tlsHandshake' | 'cleanupGrace';

/** What can run out. The last four hold in every phase that they make sense in. */
export type ExpiredDeadline = PhaseDeadline | 'inactivity' | 'halfClose' | 'stalledWrite' | 'maxLifetime';
