import type * as z from 'zod';
import type { Limits, Timeouts } from '../resolved.ts';
import { record, wholeNumber } from './fields.ts';

/** Default in milliseconds, and what the deadline is for. */
const timeoutTable: Record<keyof Timeouts, readonly [number, string]> = {
  initialDataMs: [15_000, 'For the PROXY header and the first bytes, in all.'],
  connectMs: [5_000, 'For reaching a target: DNS, all attempts, and functions that choose it.'],
  tlsHandshakeMs: [10_000, 'For a TLS handshake that SmartProxy takes part in.'],
  inactivityMs: [3_600_000, 'Without a byte in either direction.'],
  halfCloseMs: [300_000, 'After one side has sent its FIN. Restarted by every byte in either direction.'],
  stalledWriteMs: [300_000, 'While bytes are pending and none of them moves.'],
  maxLifetimeMs: [0, 'For a whole connection, give or take 5 %.'],
  cleanupGraceMs: [2_000, "For the peer's FIN, once everything was flushed and ours is out."],
  shutdownGraceMs: [30_000, 'For draining: at shutdown, and for routes that a reload removed.'],
  requestHeadMs: [30_000, 'For the head of an HTTP request.'],
  requestBodyMs: [60_000, 'Between two reads of the body of an HTTP request.'],
  keepAliveMs: [75_000, 'Between two HTTP requests of one connection.'],
  responseHeadMs: [60_000, "For the head of a target's HTTP response."],
  responseWriteMs: [60_000, 'While a client takes nothing of its HTTP response.'],
  poolIdleMs: [4_000, 'For which an idle connection to a target is kept for the next request.'],
};

/** Default (a number, or how it is derived), unit, and what the limit is for. */
const limitTable: Record<keyof Limits, readonly [number | string, string, string]> = {
  maxConnections: ['80 % of the descriptor limit ÷ 2', 'connections', 'Connections at a time.'],
  maxConnectionsPerIp: [0, 'connections', 'Connections at a time from one client address.'],
  connectionsPerMinutePerIp: [0, 'connections', 'New connections in any minute from one client address.'],
  initialDataBytes: [65_536, 'bytes', 'First bytes that are read to find the route.'],
  pendingBytesPerConnection: [
    1_048_576,
    'bytes',
    'Bytes that wait for a slow side. When full, reading pauses and nothing ends.',
  ],
  headerBytes: [65_536, 'bytes', 'The head of an HTTP request or response.'],
  relayBufferBytes: [
    'the smaller of 256 MiB and 1/16 of the memory',
    'bytes',
    'Buffers for bulk transfers, all connections together. Process-wide.',
  ],
};

type Numbers<Keys> = { [Key in keyof Keys]: z.ZodOptional<z.ZodInt> };

const durationExpected = 'a whole number of milliseconds, 0 or more';

/** Each deadline, optional, in milliseconds. */
export const timeoutsSchema = record('an object of deadlines, such as { connectMs: 5000 }', {
  ...(Object.fromEntries(
    Object.entries(timeoutTable).map(([name, [value, description]]) => [
      name,
      wholeNumber(durationExpected, 0)
        .meta({ description: `${description} 0: no deadline.`, unit: 'ms', default: value })
        .optional(),
    ]),
  ) as Numbers<Timeouts>),
}).meta({ id: 'Timeouts', description: 'Deadlines. One that a route does not name is that of the process.' });

/** Each limit, optional. */
export const limitsSchema = record('an object of limits, such as { maxConnections: 1000 }', {
  ...(Object.fromEntries(
    Object.entries(limitTable).map(([name, [value, unit, description]]) => [
      name,
      wholeNumber(`a whole number of ${unit}, 0 or more`, 0)
        .meta({
          description: `${description} 0: no limit.`,
          unit,
          ...(typeof value === 'number' ? { default: value } : { defaultText: value }),
        })
        .optional(),
    ]),
  ) as Numbers<Limits>),
}).meta({
  id: 'Limits',
  description:
    'Limits of the process, or of a route. A route has no counts but its own, and the byte limits of the process.',
});

/** What applies where the configuration says nothing; milliseconds. */
export const defaultTimeouts: Timeouts = Object.freeze(
  Object.fromEntries(Object.entries(timeoutTable).map(([name, [value]]) => [name, value])) as unknown as {
    [Key in keyof Timeouts]: number;
  },
);

/**
 * What applies where the configuration says nothing.
 * @param machine.descriptorLimit open files allowed to the process: a proxied connection takes two
 * @param machine.memoryBytes memory that the process may use
 */
export function defaultLimits(machine: { descriptorLimit: number; memoryBytes: number }): Limits {
  return Object.freeze({
    maxConnections: Math.max(1, Math.floor((machine.descriptorLimit * 0.8) / 2)),
    maxConnectionsPerIp: 0,
    connectionsPerMinutePerIp: 0,
    initialDataBytes: 65_536,
    pendingBytesPerConnection: 1_048_576,
    headerBytes: 65_536,
    relayBufferBytes: Math.min(256 * 1024 * 1024, Math.floor(machine.memoryBytes / 16)),
  });
}
