import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { Field, HttpRequest, RequestChanges } from './exchange.ts';
import { addedFields, placesOf } from './headers/changes.ts';

/** What one request is in somebody's tracing. */
export interface RequestTrace {
  /** Fields that tell the backend whose trace its work belongs to. */
  readonly fields: readonly Field[];
  /** Names of fields, in lower case, that the client's own are not passed on of: `fields` are in their place. */
  readonly replaced: readonly string[];
  /**
   * The request is over.
   *
   * @param route null: none took it
   * @param status what the client was told; null where it left before
   * @param error why it did not go well; null where it did
   */
  end(route: string | null, status: number | null, error: string | null): void;
}

/** Follows requests through several programs. Must not throw. */
export interface RequestTracer {
  /** Within `onRequest`: the head's texts are gone later. */
  begin(request: HttpRequest, record: ConnectionRecord): RequestTrace;
}

/** The changes to a head that is part of a trace. */
export function traced(changes: RequestChanges, request: HttpRequest, trace: RequestTrace): RequestChanges {
  const replaced = placesOf(request, (name) => trace.replaced.includes(name));
  const dropped = [...new Set([...changes.dropped, ...replaced])].sort((one, other) => one - other);
  return { ...changes, dropped, added: addedFields([...changes.added.fields, ...trace.fields]) };
}
