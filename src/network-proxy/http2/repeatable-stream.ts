import type { Loan } from '../../base/transport.ts';
import { ownMemory } from '../../transport/portable-transport.ts';
import { copyOf } from '../../transport/write-staging.ts';
import type {
  BackendFailure,
  BackendPool,
  BackendStream,
  BodyForm,
  HttpRequest,
  HttpResponse,
  RequestChanges,
  StreamWaiter,
  Trailers,
  TunnelEnd,
  Waiting,
} from '../exchange.ts';

/** What is kept of a body until the backend has begun to answer. */
const keptBytes = 65_536;
const maxRepeats = 2;

/**
 * A backend's stream that moves to another session where the backend says that it has not begun to
 * work on it: by REFUSED_STREAM, or by a GOAWAY that names an earlier one (RFC 9113 §8.7). Such a
 * request may be repeated whatever its method is, and also with the beginning of its body.
 */
export class RepeatableStream implements BackendStream, StreamWaiter {
  readonly takesChunks = false;
  reused = false;
  readonly #pool: BackendPool;
  readonly #deadlineMs: number;
  #owner: StreamWaiter | null;
  #inner: BackendStream | null = null;
  #waiting: Waiting | null = null;
  /** What was sent so far; null: too much, or it is being answered. */
  #sent: Sent | null = null;
  #repeats = 0;
  #bodyPaused = false;
  #awaitsDrain = false;

  /** @param deadlineMs how long another session may take to be opened */
  constructor(pool: BackendPool, owner: StreamWaiter, deadlineMs: number) {
    this.#pool = pool;
    this.#owner = owner;
    this.#deadlineMs = deadlineMs;
  }

  onStream(stream: BackendStream, openedMs: number): void {
    this.#waiting = null;
    this.#inner = stream;
    if (this.#owner === null) return stream.abort();
    if (this.#sent !== null) return this.#sendAgain(stream, this.#sent);
    this.reused = stream.reused;
    this.#owner.onStream(this, openedMs);
  }

  #sendAgain(stream: BackendStream, sent: Sent): void {
    stream.open(sent.request, sent.changes, sent.form);
    let goesOn = true;
    for (const bytes of sent.body) goesOn = stream.write(bytes, ownMemory);
    if (sent.end !== null) stream.end(sent.end.trailers);
    if (this.#bodyPaused) stream.pauseBody();
    if (this.#awaitsDrain && goesOn) this.onBackendDrain();
  }

  // ── what the exchange does ───────────────────────────────────────────────────────────────────

  get pendingBytes(): number {
    return this.#inner?.pendingBytes ?? 0;
  }

  get heardAt(): number {
    return this.#inner?.heardAt ?? 0;
  }

  open(request: HttpRequest, changes: RequestChanges, form: BodyForm): void {
    request.keep();
    this.#sent = { request, changes, form, body: [], bytes: 0, end: null };
    this.#inner?.open(request, changes, form);
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    const own = loan === ownMemory ? bytes : copyOf(bytes);
    this.#remember(own);
    const goesOn = this.#inner?.write(own, ownMemory) ?? false;
    if (!goesOn) this.#awaitsDrain = true;
    return goesOn;
  }

  #remember(bytes: Uint8Array): void {
    const sent = this.#sent;
    if (sent === null) return;
    sent.bytes += bytes.length;
    // While a session is being looked for, everything has to wait here: nothing is too much then.
    if (sent.bytes > keptBytes && this.#inner !== null) this.#sent = null;
    else sent.body.push(bytes);
  }

  end(trailers: Trailers): void {
    if (this.#sent !== null) this.#sent.end = { trailers };
    this.#inner?.end(trailers);
  }

  pauseBody(): void {
    this.#bodyPaused = true;
    this.#inner?.pauseBody();
  }

  resumeBody(): void {
    this.#bodyPaused = false;
    this.#inner?.resumeBody();
  }

  useForm(form: BodyForm): void {
    this.#inner?.useForm(form);
  }

  abort(): void {
    this.#owner = null;
    this.#sent = null;
    this.#waiting?.cancel();
    this.#waiting = null;
    this.#inner?.abort();
  }

  tunnel(): TunnelEnd {
    this.#owner = null;
    return (this.#inner as BackendStream).tunnel();
  }

  // ── what the session tells ───────────────────────────────────────────────────────────────────

  onInterim(response: HttpResponse): void {
    this.#sent = null;
    this.#owner?.onInterim(response);
  }

  onResponse(response: HttpResponse): void {
    this.#sent = null;
    this.#owner?.onResponse(response);
  }

  onResponseBody(bytes: Uint8Array, loan?: Loan): void {
    this.#owner?.onResponseBody(bytes, loan);
  }

  onResponseEnd(trailers: Trailers): void {
    this.#owner?.onResponseEnd(trailers);
  }

  onBackendDrain(): void {
    this.#awaitsDrain = false;
    this.#owner?.onBackendDrain();
  }

  onBackendFailed(failure: BackendFailure): void {
    const moves = this.#inner !== null && failure.unprocessed && this.#sent !== null;
    this.#inner = null;
    this.#waiting = null;
    if (moves && this.#repeats < maxRepeats) {
      this.#repeats++;
      this.#waiting = this.#pool.acquire(this, true, this.#deadlineMs);
      return;
    }
    this.#sent = null;
    this.#owner?.onBackendFailed(failure);
  }
}

interface Sent {
  readonly request: HttpRequest;
  readonly changes: RequestChanges;
  readonly form: BodyForm;
  readonly body: Uint8Array[];
  bytes: number;
  end: { readonly trailers: Trailers } | null;
}
