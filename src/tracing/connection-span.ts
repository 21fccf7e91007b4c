import type { Attributes, AttributeValue } from '@opentelemetry/api';
import type { TerminationReason } from '../base/termination.ts';
import type { ConnectionRecord, TrailEvent } from '../connection/connection-record.ts';

/** Endings that are nobody's failure. */
const agreedReasons: ReadonlySet<TerminationReason> = new Set<TerminationReason>([
  ...(['client-closed', 'target-closed', 'handler-ended', 'responded'] as const),
  ...(['keep-alive-timeout', 'shutdown', 'operator', 'route-removed', 'max-lifetime'] as const),
]);

/** Why a connection's span is marked as failed; null: it is not. */
export function failureOf({ termination }: ConnectionRecord): string | null {
  if (termination === null || agreedReasons.has(termination.reason)) return null;
  return termination.error?.message ?? termination.reason;
}

/** What is known from the beginning. */
export function openingAttributes({ id, client, localPort }: ConnectionRecord): Attributes {
  return {
    'client.address': client.peer.ip,
    'client.port': client.peer.port,
    'server.port': localPort,
    'network.transport': 'tcp',
    'smartproxy.connection.id': id,
  };
}

/** What is known at the end. Names are those of OpenTelemetry's conventions where there are any. */
export function endingAttributes(record: ConnectionRecord): Attributes {
  const { termination, clientAddress, targetAddress, hello, route, requests } = record;
  return defined({
    // A PROXY header may have told of another one since.
    'client.address': clientAddress.ip,
    'client.port': clientAddress.port,
    'smartproxy.route': route?.name,
    'smartproxy.target': targetAddress === null ? undefined : `${targetAddress.host}:${targetAddress.port}`,
    'tls.client.server_name': hello?.serverName ?? undefined,
    'smartproxy.reason': termination?.reason,
    'smartproxy.initiator': termination?.initiator,
    'smartproxy.phase': termination?.phase,
    'smartproxy.bytes.from_client': record.bytesFromClient,
    'smartproxy.bytes.to_client': record.bytesToClient,
    'smartproxy.requests': requests > 0 ? requests : undefined,
  });
}

/** Details of a step, as far as a span can have them. */
export function stepAttributes({ atMs: _at, what: _what, ...details }: TrailEvent): Attributes {
  return defined(
    Object.fromEntries(
      Object.entries(details).map(([name, value]) => [name, isPlain(value) ? value : undefined]),
    ),
  );
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function defined(values: Record<string, AttributeValue | undefined>): Attributes {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
