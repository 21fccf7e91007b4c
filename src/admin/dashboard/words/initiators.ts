import type { ConnectionState, Initiator } from '../../../base/termination.ts';

/** Who ended a connection, as a heading says it. */
export const initiatorNames: Readonly<Record<Initiator, string>> = {
  client: 'the client',
  target: 'the target',
  proxy: 'the proxy',
  operator: 'an operator',
  kernel: 'the kernel',
};

/** The phase in which an ending struck, as a sentence goes on after "while". */
export const phaseWords: Readonly<Record<ConnectionState, string>> = {
  accepted: 'just accepted',
  'reading-first-bytes': 'reading the first bytes',
  routing: 'choosing a route',
  dialing: 'dialing the target',
  'handed-over': 'starting TLS or HTTP',
  established: 'established',
  'half-closed': 'half closed',
  closing: 'closing',
  closed: 'closed',
};
