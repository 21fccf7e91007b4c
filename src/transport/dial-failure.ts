import { errorCode, SmartProxyError } from '../base/errors.ts';
import type { DialFailure } from '../base/transport.ts';

type FailureReason = DialFailure['reason'];

/** What `connect` can fail with, by whose fault that is. */
const reasonOfCode: Readonly<Record<string, FailureReason>> = {
  ECONNREFUSED: 'connect-refused',
  ECONNRESET: 'connect-refused',
  // A unix socket whose backlog is full.
  EAGAIN: 'connect-refused',
  ETIMEDOUT: 'target-timed-out',
  EHOSTUNREACH: 'connect-unreachable',
  ENETUNREACH: 'connect-unreachable',
  EHOSTDOWN: 'connect-unreachable',
  ENETDOWN: 'connect-unreachable',
  EAFNOSUPPORT: 'connect-unreachable',
  EPROTOTYPE: 'connect-unreachable',
  // A firewall, or the permissions of a unix socket.
  EACCES: 'connect-unreachable',
  EPERM: 'connect-unreachable',
  ENOENT: 'connect-unreachable',
  ENOTDIR: 'connect-unreachable',
  ENAMETOOLONG: 'connect-unreachable',
  EINVAL: 'connect-unreachable',
  EMFILE: 'resource-exhausted',
  ENFILE: 'resource-exhausted',
  ENOBUFS: 'resource-exhausted',
  ENOMEM: 'resource-exhausted',
  // No ephemeral port is left.
  EADDRNOTAVAIL: 'resource-exhausted',
  EADDRINUSE: 'resource-exhausted',
};

/** Of several failed attempts, the one that says most: an answer from the target before the lack of one. */
const tellingOrder: readonly FailureReason[] = [
  'connect-refused',
  'target-timed-out',
  'resource-exhausted',
  'connect-unreachable',
  'dns-failed',
  'internal-error',
];

export function dialFailure(error: unknown): DialFailure {
  const code = errorCode(error);
  const reason =
    (code !== null && Object.hasOwn(reasonOfCode, code) && reasonOfCode[code]) || 'internal-error';
  return { reason, error: error instanceof Error ? error : new Error(String(error)) };
}

export function dnsFailure(error: Error): DialFailure {
  return { reason: errorCode(error) === 'dns-overloaded' ? 'resource-exhausted' : 'dns-failed', error };
}

export function mostTelling(first: DialFailure | undefined, second: DialFailure): DialFailure {
  if (first === undefined) return second;
  return tellingOrder.indexOf(second.reason) < tellingOrder.indexOf(first.reason) ? second : first;
}

/** What a socket that reached only itself failed with. */
export function selfConnection(where: string): Error {
  const cause = new SmartProxyError(
    'connected-to-itself',
    `nobody listens on ${where}: the socket met itself`,
    {
      source: 'target',
      retryable: true,
    },
  );
  return Object.assign(new Error(`connect ECONNREFUSED ${where}`, { cause }), { code: 'ECONNREFUSED' });
}
