import type { TerminationReason } from '../base/termination.ts';
import type { Loan, Transport } from '../base/transport.ts';
import type { ResolvedRoute, Timeouts } from '../config/resolved.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { RequestHead, ResponseHead } from './http1/head.ts';

/**
 * One request and its answer. An exchange stands between two streams, as a relay stands between
 * two transports: the client's, which an inbound protocol implements, and the backend's, which an
 * outbound protocol implements. Neither protocol knows the other.
 *
 *     HTTP/1.1 ┐                ┌───────────┐                ┌ HTTP/1.1
 *              ├ ClientStream ─▶│ Exchange  │─▶ BackendStream ┤
 *     HTTP/2   ┘  (request)     │ route,    │   (pool)        └ HTTP/2
 *                               │ headers,  │
 *       respond ◀───────────────│ retry, log│◀─── onResponse
 *                               └───────────┘
 *
 * The rules are those of base/transport.ts: one listener, callbacks and no promises, `write`
 * returns false when the writer should wait for `onDrain`, bytes that are shown are valid only
 * during the call, or for longer by their loan. No method throws. But for `resumeBody`, a stream
 * never calls its listener within a call.
 */

/** What both kinds of heads tell. Texts are made when they are asked for. */
interface MessageHead {
  /** The value of a field, several joined with `, `; undefined where there is none. `name` is lower case. */
  field(name: string): string | undefined;
  /** Each value of a field, in order. `name` is lower case. */
  values(name: string): string[];
  /** Every field in order, as it was sent: HTTP/1's connection fields too. */
  eachField(visit: (name: string, value: string) => void): void;
  /** Content-Length; -1 where there is none. */
  readonly contentLength: number;
}

/**
 * A request that its protocol found sound. A view of the bytes that were read: valid until
 * `ClientListener.onRequest` returns, and longer after `keep`.
 */
export interface HttpRequest extends MessageHead {
  readonly version: '1.0' | '1.1' | '2';
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Who is asked, as it was sent; empty where HTTP/1.0 does not say. */
  readonly authority: string;
  /** The authority's name: lower case, without port, brackets and trailing dot. */
  readonly host: string;
  /** Path and query as they were sent, `*`, or the authority of CONNECT. */
  readonly target: string;
  /** The target without its query. */
  readonly path: string;
  /** A body follows, perhaps an empty one. */
  readonly hasBody: boolean;
  /** What to change to: Upgrade in HTTP/1.1, `:protocol` of an extended CONNECT (RFC 8441); else null. */
  readonly upgrade: string | null;
  readonly expectContinue: boolean;
  /** Some field may be one that tells of a client, by the looks of its name. */
  readonly mayTellOfClients: boolean;
  /** The head as bytes, where it came by HTTP/1: it goes on to HTTP/1 with only what must change. */
  readonly http1: RequestHead | null;
  /** Moves the head into memory of its own. Idempotent. */
  keep(): void;
}

/** The head of an answer: a view, valid only within the call that shows it. */
export interface HttpResponse extends MessageHead {
  readonly status: number;
  /** The head as bytes, where it came by HTTP/1. */
  readonly http1: ResponseHead | null;
  /**
   * How the body is delimited: nothing follows, or `contentLength` bytes, or HTTP/1's chunks, or
   * whatever the stream tells with `onEnd` (HTTP/2, and HTTP/1 until the connection is closed).
   */
  readonly body: 'none' | 'length' | 'chunked' | 'until-end';
}

export type Field = readonly [name: string, value: string];

/**
 * What changes in a head that is forwarded, on top of what its protocols demand (fields of one
 * connection never cross). Values have no CR, LF or NUL: whoever made them has checked.
 */
export interface HeadChanges {
  /** Places of fields that are left out, ascending, in the order of `eachField`. */
  readonly dropped: readonly number[];
  /** Field lines that come after the others. */
  readonly added: AddedFields;
}

/** Field lines in both forms, made once and used for many messages. */
export interface AddedFields {
  readonly fields: readonly Field[];
  /** The same as HTTP/1 has them, each with its CRLF. */
  readonly lines: Buffer;
}

export interface RequestChanges extends HeadChanges {
  /** Path and query in place of the request's own; null: unchanged. */
  readonly target: string | null;
  /** Host or `:authority` in place of the request's own; null: unchanged. */
  readonly authority: string | null;
}

/** An answer of our own: error pages, redirects, `respond`. */
export interface LocalAnswer {
  readonly status: number;
  readonly fields: readonly Field[];
  /** What the body is; a HEAD or a status without content is sent without it. */
  readonly body: Uint8Array;
  /** The connection cannot go on after it (HTTP/1), or should not. */
  readonly close: boolean;
  /** Why it ends then. Default: that is the answer itself. */
  readonly ending?: { readonly reason: TerminationReason; readonly error: Error | null };
}

/**
 * What a body's bytes are: `content` as the sender meant it, or `chunks`: HTTP/1's chunked coding
 * as it came over the wire, with its trailers, up to and with the last empty line.
 */
export type BodyForm = 'content' | 'chunks';

/** Field lines after a body. Null where there are none, and always in the form `chunks`. */
export type Trailers = readonly Field[] | null;

/** The client's half of an exchange. Made by an inbound protocol, one for each request. */
export interface ClientStream {
  readonly record: ConnectionRecord;
  readonly request: HttpRequest;
  /** The answer's body may be written in the form `chunks`. */
  readonly takesChunks: boolean;
  /** Bytes of the client's that pass to the listener, and of the answer that were written, heads included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Answer bytes that the client's connection has not taken; 0 where that is not known. */
  readonly pendingBytes: number;

  /** From here on the route's deadlines hold. */
  useTimeouts(timeouts: Timeouts): void;
  /**
   * When the answer must have begun, by the clock; `Infinity`: some time. What is later is told with
   * `onAnswerLate`, not always at once. The end of the exchange is the end of that.
   */
  expectAnswer(dueAt: number): void;
  /**
   * Lets the request's body come; it is paused at first. What is at hand is shown within the call,
   * or after `onRequest` returned: call it last. `form` counts from the first call on.
   */
  resumeBody(form: BodyForm): void;
  pauseBody(): void;
  /** Forwards an interim answer (1xx but not 101), where the client's version knows them. */
  inform(response: HttpResponse): void;
  /** Begins the answer. `form`: what will be written. */
  respond(response: HttpResponse, changes: HeadChanges, form: BodyForm): void;
  /** Sends a whole answer of our own, and returns how many bytes that were. Only before `respond`. */
  answer(answer: LocalAnswer): number;
  /** `lastActivityAt` of the record is when the bytes came, as it is for `end`. */
  write(bytes: Uint8Array, loan?: Loan): boolean;
  /** The answer is complete. The stream is over when the request's body has come too, or was given up. */
  end(trailers: Trailers): void;
  /**
   * Ends the stream so that what was sent is not taken for a whole answer: HTTP/1 resets the
   * connection. Nothing is told any more.
   */
  abort(reason: TerminationReason, error?: Error | undefined): void;
  /**
   * After an answer of 101, or of 2xx to CONNECT: gives the bytes below to the caller. The record
   * stays with the stream, which is told the tunnel's end with `close`. `backend` is the other side:
   * where the client's connection is the tunnel, its record has it as its target.
   */
  tunnel(backend: Transport): TunnelEnd;
  /** A side of the tunnel sent FIN: for the record. */
  tunnelSideEnded(side: 'client' | 'target'): void;
  /**
   * Ends the client's side without another word, after a tunnel or in place of an answer: by FIN
   * where `reason` is an agreement or nothing was said yet, else by reset.
   */
  close(reason: TerminationReason, error?: Error | undefined): void;
}

/** What an inbound protocol tells of a stream. Nothing comes after `onClientGone`. */
export interface ClientListener {
  /** The route that the request takes; null: none, or not yet. */
  readonly route: ResolvedRoute | null;
  /** A reload removed that route, and its grace is over. */
  onRouteRemoved(): void;
  /** Body bytes, in the form that was asked for. */
  onRequestBody(bytes: Uint8Array, loan?: Loan): void;
  /** The request is complete. Follows the request at once where it has no body. */
  onRequestEnd(trailers: Trailers): void;
  /** The request's body did not come in time, or is malformed: answer with `status`, if that is still possible. */
  onRequestFailed(status: 400 | 408 | 413, code: string): void;
  /** The answer has not begun. */
  onAnswerLate(now: number): void;
  /** After a `write` that returned false. */
  onClientDrain(): void;
  /** The client is gone, or its connection ends otherwise: nobody waits for an answer. The stream is not touched any more. */
  onClientGone(reason: TerminationReason): void;
}

/** Where an inbound protocol brings its requests. The listener may answer within the call. */
export type OnRequest = (stream: ClientStream) => ClientListener;

/** Hears of requests that could not be read: the status that they were answered with. */
export type OnRefused = (status: number) => void;

/** A connection below HTTP, and what was read of it already. */
export interface TunnelEnd {
  readonly transport: Transport;
  /** Owned by the caller; perhaps empty. */
  readonly firstBytes: Uint8Array;
}

/** The backend's half of an exchange. Comes out of a pool; it returns there by itself when it is over. */
export interface BackendStream {
  /** Has carried an exchange before: what fails now may be the backend's idle timeout (H8). */
  readonly reused: boolean;
  /** The request's body may be written in the form `chunks`. */
  readonly takesChunks: boolean;
  /** Request bytes that the backend has not taken; 0 where that is not known. */
  readonly pendingBytes: number;
  /** When something came from the backend last, by the clock: within what it tells of that, the present. */
  readonly heardAt: number;

  /**
   * Sends the head. `form`: what the body will be written in; a request without a body is sent
   * whole, and neither `write` nor `end` follow.
   */
  open(request: HttpRequest, changes: RequestChanges, form: BodyForm): void;
  write(bytes: Uint8Array, loan?: Loan): boolean;
  /** The request is complete. */
  end(trailers: Trailers): void;
  /** Stops and starts `onBody`. It is running at first. */
  pauseBody(): void;
  resumeBody(): void;
  /** In which form the answer's body comes. Within `onResponse` only; `content` unless it is called. */
  useForm(form: BodyForm): void;
  /** Nobody waits for the answer any more: a reset. Idempotent; nothing is told after it. */
  abort(): void;
  /** After 101, or 2xx to CONNECT: gives the bytes below to the caller, for good. */
  tunnel(): TunnelEnd;
}

/** What an outbound protocol tells. Nothing comes after `onResponseEnd` or `onBackendFailed`. */
export interface BackendListener {
  /** 1xx but not 101. */
  onInterim(response: HttpResponse): void;
  /** The answer begins. 101 ends HTTP: `tunnel` is due, within the call. */
  onResponse(response: HttpResponse): void;
  onResponseBody(bytes: Uint8Array, loan?: Loan): void;
  onResponseEnd(trailers: Trailers): void;
  /** After a `write` that returned false. */
  onBackendDrain(): void;
  onBackendFailed(failure: BackendFailure): void;
}

export interface BackendFailure {
  /** For the log: a termination reason of a target, or `invalid-response`, `pool-overloaded`. */
  readonly code: BackendFailureCode;
  readonly error: Error | null;
  /** Some byte of an answer had come. */
  readonly answered: boolean;
  /** The backend has certainly not begun to work on it: anything may be repeated (RFC 9113 §8.7). */
  readonly unprocessed: boolean;
}

export type BackendFailureCode =
  | 'connect-refused'
  | 'connect-unreachable'
  | 'connect-timeout'
  | 'dns-failed'
  | 'target-tls-failed'
  | 'target-timed-out'
  | 'target-reset'
  | 'target-closed'
  | 'invalid-response'
  | 'pool-overloaded'
  | 'resource-exhausted'
  | 'handler-ended'
  | 'handler-failed'
  | 'internal-error';

/** Where streams to one backend come from: a pool of HTTP/1 connections, of HTTP/2 sessions, or both. */
export interface BackendPool {
  /**
   * Asks for a stream, which is told to `waiter` exactly once: within the call where one is at
   * hand, else later. Returns how to give up waiting, or null where it was told already.
   *
   * @param fresh not a connection that was used before: what a repeated request needs
   * @param deadlineMs at most this long for dial and handshake, in all; 0: no limit
   */
  acquire(waiter: StreamWaiter, fresh: boolean, deadlineMs: number): Waiting | null;
}

export interface StreamWaiter extends BackendListener {
  /** The stream is the waiter's now, and tells it everything. `openedMs`: what dial and handshake took; 0 if reused. */
  onStream(stream: BackendStream, openedMs: number): void;
}

export interface Waiting {
  /** Idempotent; the waiter hears nothing any more. */
  cancel(): void;
}
