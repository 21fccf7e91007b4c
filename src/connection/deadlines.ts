import type { Timeouts } from '../config/resolved.ts';

/** The wait that a phase is allowed: at most one at a time for each connection. */
export type PhaseDeadline = 'initialData' | 'targetSelection' | 'connect' | 'tlsHandshake' | 'cleanupGrace';

/** What can run out. The last four hold in every phase that they make sense in. */
export type ExpiredDeadline = PhaseDeadline | 'inactivity' | 'halfClose' | 'stalledWrite' | 'maxLifetime';

/** The setting that each of them comes from. */
export const settingOfDeadline = {
  initialData: 'initialDataMs',
  targetSelection: 'connectMs',
  connect: 'connectMs',
  tlsHandshake: 'tlsHandshakeMs',
  cleanupGrace: 'cleanupGraceMs',
  inactivity: 'inactivityMs',
  halfClose: 'halfCloseMs',
  stalledWrite: 'stalledWriteMs',
  maxLifetime: 'maxLifetimeMs',
} as const satisfies Record<ExpiredDeadline, keyof Timeouts>;

/** A wait that is under way. */
export interface Wait {
  readonly setting: keyof Timeouts;
  /** As it is set. */
  readonly ofMs: number;
  /** Until it ends the connection, if nothing happens before. */
  readonly leftMs: number;
}
