import type { Context, Span, Tracer } from '@opentelemetry/api';
import { packageVersion } from '../base/package-version.ts';
import type { ConnectionObserver } from '../connection/connection-observer.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import { endingAttributes, failureOf, openingAttributes, stepAttributes } from './connection-span.ts';

type Api = typeof import('@opentelemetry/api');

/** What tracing asks about a request. */
export interface TracedRequest {
  readonly version: string;
  readonly method: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  field(name: string): string | undefined;
}

/** A request that is under way. */
export interface TracedExchange {
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly replaced: readonly string[];
  end(route: string | null, status: number | null, error: string | null): void;
}

/**
 * Tracing by OpenTelemetry where the program has it and has registered an SDK before the start;
 * else null, and nothing is done for it.
 */
export async function loadTracing(): Promise<Tracing | null> {
  const api = await import('@opentelemetry/api').catch(() => null);
  if (api === null) return null;
  const tracer = api.trace.getTracer('smartproxy', packageVersion());
  // Without an SDK every span is the same invalid one. This one is never ended, so nobody hears of it.
  const probe = tracer.startSpan('probe', { root: true });
  return api.isSpanContextValid(probe.spanContext()) ? new Tracing(api, tracer) : null;
}

/**
 * A span for each connection, with its trail as events, and one for each HTTP request. A request
 * belongs to the trace that its `traceparent` names, or begins one; it is linked to its connection,
 * which may carry requests of many traces.
 */
export class Tracing implements ConnectionObserver {
  readonly #api: Api;
  readonly #tracer: Tracer;
  readonly #connections = new WeakMap<ConnectionRecord, Span>();

  constructor(api: Api, tracer: Tracer) {
    this.#api = api;
    this.#tracer = tracer;
  }

  opened(record: ConnectionRecord): void {
    const { SpanKind, ROOT_CONTEXT } = this.#api;
    const options = {
      kind: SpanKind.SERVER,
      startTime: record.startedAtWall,
      attributes: openingAttributes(record),
    };
    this.#connections.set(record, this.#tracer.startSpan('connection', options, ROOT_CONTEXT));
  }

  ended(record: ConnectionRecord): void {
    const span = this.#connections.get(record);
    if (span === undefined) return;
    this.#connections.delete(record);
    if (span.isRecording()) this.#describe(span, record);
    span.end(record.startedAtWall + (record.termination?.durationMs ?? 0));
  }

  #describe(span: Span, record: ConnectionRecord): void {
    span.setAttributes(endingAttributes(record));
    for (const step of record.trail) {
      span.addEvent(step.what, stepAttributes(step), record.startedAtWall + step.atMs);
    }
    const failure = failureOf(record);
    if (failure !== null) span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: failure });
  }

  /** A request has come: begins its span, in the trace that the client names. */
  begin(request: TracedRequest, record: ConnectionRecord): TracedExchange {
    const { SpanKind, ROOT_CONTEXT, propagation, trace } = this.#api;
    const parent = propagation.extract(ROOT_CONTEXT, request, fieldGetter);
    const connection = this.#connections.get(record);
    const options = {
      kind: SpanKind.SERVER,
      attributes: requestAttributes(request, record),
      ...(connection !== undefined && { links: [{ context: connection.spanContext() }] }),
    };
    const span = this.#tracer.startSpan(request.method, options, parent);
    return this.#exchange(span, trace.setSpan(parent, span), request.method);
  }

  #exchange(span: Span, context: Context, method: string): TracedExchange {
    const { propagation, SpanStatusCode } = this.#api;
    const carrier: Record<string, string> = {};
    propagation.inject(context, carrier);
    const fields = Object.entries(carrier);
    return {
      fields,
      replaced: fields.length === 0 ? [] : propagation.fields().map((name) => name.toLowerCase()),
      end(route, status, error) {
        if (route !== null) span.updateName(`${method} ${route}`).setAttribute('smartproxy.route', route);
        if (status !== null) span.setAttribute('http.response.status_code', status);
        if (error !== null) span.setAttribute('error.type', error);
        if (error !== null || (status ?? 0) >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  }
}

/** How a propagator reads a request. It asks by name, never for all of them. */
const fieldGetter = {
  keys: (): string[] => [],
  get: (request: TracedRequest, name: string): string | undefined => request.field(name.toLowerCase()),
};

function requestAttributes(request: TracedRequest, record: ConnectionRecord) {
  return {
    'http.request.method': request.method,
    'url.scheme': request.scheme,
    'url.path': request.path,
    'server.address': request.host,
    'server.port': record.localPort,
    'client.address': record.clientAddress.ip,
    'network.protocol.version': request.version,
    'smartproxy.connection.id': record.id,
  };
}
