import type { Writable } from 'node:stream';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import { ConfigurationError } from '../config/problems.ts';

type Headers = Readonly<Record<string, string>>;

/** An answer of the admin API, before it is written. */
export type Reply = JsonReply | ListReply | ContentReply | StreamReply;

export interface JsonReply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Headers;
}

/** JSON with a list that may be long: it is made while it is written. */
export interface ListReply {
  readonly status: number;
  readonly name: string;
  readonly items: Iterable<unknown>;
  /** What stands beside the list. */
  readonly others: Readonly<Record<string, unknown>>;
}

/** Something else than JSON, whole. */
export interface ContentReply {
  readonly status: number;
  readonly content: Uint8Array;
  readonly headers: Headers & { readonly 'content-type': string };
}

/** Something without an end: what writes it has the response from then on. */
export interface StreamReply {
  readonly status: number;
  readonly stream: (output: Writable) => void;
  readonly headers: Headers & { readonly 'content-type': string };
}

export function ok(body: unknown): JsonReply {
  return { status: 200, body };
}

/** `code` is stable; each has a heading in docs/errors.md. */
export function failure(status: number, code: string, message: string, headers?: Headers): JsonReply {
  const body = { error: { code, message } };
  return headers === undefined ? { status, body } : { status, body, headers };
}

/** The answer to a call that threw. What is not an error of ours says nothing of the inside. */
export function failureOf(error: unknown): JsonReply {
  if (error instanceof ConfigurationError) {
    const { code, message, problems, file } = error;
    return { status: 422, body: { error: { code, message, file, problems } } };
  }
  if (error instanceof SmartProxyError) {
    const status = error.source === 'client' ? 400 : error.source === 'config' ? 422 : 409;
    return failure(status, error.code, errorMessage(error));
  }
  return failure(500, 'internal-error', 'the call failed for a reason that is in the log');
}
