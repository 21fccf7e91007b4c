import type { TerminationReason } from '../base/termination.ts';
import type { Loan } from '../base/transport.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import { isIdempotent, reasonOfBackendFailure, statusOfFailure } from './backend-failures.ts';
import { BackendSearch, type SearchOwner } from './backend-search.ts';
import { errorPage } from './error-pages.ts';
import type {
  BackendFailure,
  BackendStream,
  BodyForm,
  ClientListener,
  ClientStream,
  HttpResponse,
  LocalAnswer,
  RequestChanges,
  Trailers,
} from './exchange.ts';
import { HandlerCall, type HandlerRoute } from './handler/handler-call.ts';
import { redirectAnswer, respondAnswer } from './local-answers.ts';
import type { RequestPlanner } from './request-planner.ts';
import { RequestReport } from './request-report.ts';
import type { ForwardRoute, RoutePlan } from './route-plan.ts';
import type { StreamSource } from './stream-source.ts';
import { Tunnel } from './websocket/tunnel.ts';

const never = Number.POSITIVE_INFINITY;

/**
 * A request on its way to a backend, and the answer on its way back. Read it from top to bottom:
 *
 *   start ─▶ route ─▶ admit ─▶ [target ─▶ pool ─▶ stream ─▶ body] ─▶ answer ─▶ over
 *                                  ▲__ next target, one retry __│
 *
 * A handler's stream comes at once, without a target.
 *
 * Each way out is `#over`, once.
 */
export class ProxiedExchange implements ClientListener, SearchOwner {
  readonly #planner: RequestPlanner;
  readonly #client: ClientStream;
  readonly #report: RequestReport;
  /** It counts this request. */
  route: ResolvedRoute | null = null;
  #plan: RoutePlan | null = null;
  #source: StreamSource | null = null;
  /** The source, where it is a pool. */
  #search: BackendSearch | null = null;
  #backend: BackendStream | null = null;
  #tunnel: Tunnel | null = null;
  #form: BodyForm = 'content';
  /** The request is complete. */
  #requestEnd: { readonly trailers: Trailers } | null = null;
  /** Body bytes were given to a backend: they are not there to be given to another. */
  #bodySent = false;
  #bodyPaused = false;
  /** When the backend was last given something: what it takes for its answer counts from there. */
  #lastSentAt = 0;
  #retried = false;
  #responding = false;
  #done = false;

  constructor(planner: RequestPlanner, client: ClientStream, number: number) {
    this.#planner = planner;
    this.#client = client;
    this.#report = new RequestReport(planner.services, client, number);
  }

  // ── routing ──────────────────────────────────────────────────────────────────────────────────

  start(): void {
    const { request } = this.#client;
    if (request.method === 'CONNECT' && request.upgrade === null) return this.#refuse(501, 'connect-method');
    const challenge = this.#planner.challengeAnswer(request);
    if (challenge === null) return this.#findRoute();
    if (!(challenge instanceof Promise)) return this.#answer(challenge);
    request.keep();
    void challenge.then((answer) => {
      if (this.#done) return;
      if (answer === null) this.#findRoute();
      else this.#answer(answer);
    });
  }

  #findRoute(): void {
    const { record } = this.#client;
    const route = this.#planner.match(this.#client);
    if (route === 'no-route') return this.#refuse(404, 'no-route');
    if (route === 'misdirected') return this.#refuse(421, 'misdirected');
    if (route === 'ambiguous-path') return this.#refuse(400, 'ambiguous-path');
    this.#report.routed(route);
    this.#client.useTimeouts(route.timeouts);
    const refusal = this.#planner.services.admit(route, record);
    if (refusal !== null) return this.#refuse(statusOfRefusal(refusal), refusal);
    this.route = route;
    this.#act(route);
  }

  #act(route: ResolvedRoute): void {
    const { action } = route;
    switch (action.type) {
      case 'forward':
        return this.#forward(route as ForwardRoute);
      case 'redirect':
        return this.#answer(redirectAnswer(action, this.#client.request));
      case 'respond':
        return this.#answer(respondAnswer(action));
      case 'block':
        return this.#block(action.how);
      case 'handler':
        return this.#handle(route as HandlerRoute);
    }
  }

  #block(how: 'close' | 'reset'): void {
    this.#over();
    this.#log('blocked', null, 0);
    if (how === 'reset') this.#client.abort('blocked');
    else this.#client.close('blocked');
  }

  // ── the way to a backend ─────────────────────────────────────────────────────────────────────

  #forward(route: ForwardRoute): void {
    const plan = this.#planner.planOf(route);
    this.#plan = plan;
    this.#search = new BackendSearch(this.#planner, this.#client, plan, this, this.#report);
    this.#source = this.#search;
    this.#search.start();
  }

  #handle(route: HandlerRoute): void {
    this.#plan = this.#planner.planOf(route);
    const call = new HandlerCall(this.#planner, this.#client, route, this.#report.trace);
    this.#source = call;
    call.start(this);
  }

  searchFailed(failure: BackendFailure | 'target-selection-failed' | 'target-selection-timeout'): void {
    if (failure === 'target-selection-failed') this.#refuse(502, failure);
    else if (failure === 'target-selection-timeout') this.#refuse(504, 'target-selection-failed');
    else this.#unanswered(failure);
  }

  /** A handler's own connection ends with it, where that is one of HTTP/1 (L24). */
  #unanswered({ code, error }: BackendFailure): void {
    const status = statusOfFailure[code];
    if (code !== 'handler-failed') return this.#refuse(status, code);
    this.#answer(
      { ...errorPage(status, this.#report.requestId, true), ending: { reason: code, error } },
      code,
    );
  }

  onStream(backend: BackendStream, openedMs: number): void {
    const source = this.#source as StreamSource;
    source.found();
    if (this.#done) return backend.abort();
    const { request } = this.#client;
    this.#backend = backend;
    this.#lastSentAt = source.now;
    this.#report.notes?.connected(backend.reused, openedMs, this.#lastSentAt);
    if (backend.reused) request.keep();
    const chunked = request.hasBody && request.contentLength < 0 && request.http1 !== null;
    this.#form = chunked && backend.takesChunks ? 'chunks' : 'content';
    backend.open(request, source.changes as RequestChanges, this.#form);
    const { responseHeadMs } = source.timeouts;
    if (responseHeadMs > 0) this.#client.expectAnswer(this.#lastSentAt + responseHeadMs);
    if (!request.hasBody) return;
    if (this.#requestEnd === null) this.#client.resumeBody(this.#form);
    else backend.end(this.#requestEnd.trailers);
  }

  // ── the request's body ───────────────────────────────────────────────────────────────────────

  onRequestBody(bytes: Uint8Array, loan?: Loan): void {
    const backend = this.#backend;
    if (backend === null) return;
    this.#bodySent = true;
    this.#lastSentAt = this.#client.record.lastActivityAt;
    if (backend.write(bytes, loan)) return;
    this.#bodyPaused = true;
    this.#client.pauseBody();
  }

  onRequestEnd(trailers: Trailers): void {
    this.#requestEnd = { trailers };
    if (this.#client.request.hasBody) this.#backend?.end(trailers);
  }

  onBackendDrain(): void {
    if (!this.#bodyPaused) return;
    this.#bodyPaused = false;
    this.#lastSentAt = this.#planner.services.clock.now();
    this.#client.resumeBody(this.#form);
  }

  onRequestFailed(status: 400 | 408 | 413, code: string): void {
    this.#letGo();
    if (this.#responding) this.#cut(code === 'request-timeout' ? 'request-timeout' : 'invalid-request', code);
    else this.#refuse(status, code);
  }

  // ── the answer ───────────────────────────────────────────────────────────────────────────────

  onInterim(response: HttpResponse): void {
    this.#client.inform(response);
  }

  onResponse(response: HttpResponse): void {
    const backend = this.#backend as BackendStream;
    this.#client.record.lastActivityAt = backend.heardAt;
    this.#client.expectAnswer(never);
    this.#responding = true;
    this.#report.responded(response.status, backend.heardAt);
    const changes = (this.#plan as RoutePlan).rules.response(response);
    const form = response.body === 'chunked' && this.#client.takesChunks ? 'chunks' : 'content';
    backend.useForm(form);
    this.#client.respond(response, changes, form);
    if (response.status === 101) this.#openTunnel(backend);
  }

  onResponseBody(bytes: Uint8Array, loan?: Loan): void {
    const backend = this.#backend;
    if (backend === null) return;
    this.#client.record.lastActivityAt = backend.heardAt;
    if (!this.#client.write(bytes, loan)) backend.pauseBody();
  }

  onClientDrain(): void {
    this.#backend?.resumeBody();
  }

  onResponseEnd(trailers: Trailers): void {
    const { heardAt } = this.#backend as BackendStream;
    this.#backend = null;
    if (this.#done) return;
    this.#over();
    this.#client.record.lastActivityAt = heardAt;
    this.#report.answered(heardAt);
    this.#log(null, null, this.#client.bytesOut);
    this.#client.end(trailers);
  }

  #openTunnel(backend: BackendStream): void {
    const { record } = this.#client;
    const { clock } = this.#planner.services;
    record.joined = true;
    this.#report.becameTunnel();
    const end = backend.tunnel();
    this.#tunnel = new Tunnel(this.#client.tunnel(end.transport), end, {
      activity: () => {
        record.lastActivityAt = clock.now();
      },
      sideEnded: (side) => this.#client.tunnelSideEnded(side),
      ended: (reason, error) => this.#tunnelEnded(reason, error),
    });
    this.#backend = null;
    this.#tunnel.start();
  }

  #tunnelEnded(reason: TerminationReason, error: Error | undefined): void {
    this.#over();
    const agreed = reason === 'client-closed' || reason === 'target-closed';
    this.#log(agreed ? null : reason, null, this.#bytesToClient);
    this.#tunnel = null;
    this.#client.close(reason, error);
  }

  // ── what goes wrong ──────────────────────────────────────────────────────────────────────────

  onBackendFailed(told: BackendFailure): void {
    const failure = this.#named(told);
    const backend = this.#backend;
    this.#backend = null;
    if (this.#done) return;
    this.#client.expectAnswer(never);
    if (this.#responding) {
      this.#cut(reasonOfBackendFailure(failure.code), failure.code, failure.error ?? undefined);
    } else if (backend === null) this.#search?.next(failure);
    else if (this.#mayRepeat(backend, failure)) this.#repeat();
    else this.#unanswered(failure);
  }

  #named(failure: BackendFailure): BackendFailure {
    const handled = this.route?.action.type === 'handler';
    return handled && failure.code === 'target-closed' ? { ...failure, code: 'handler-ended' } : failure;
  }

  /**
   * The one rule for repeating (H8): once; nothing of an answer came and no byte of a body is gone;
   * and the backend has not begun to work on it, or it is a connection that the backend may have
   * closed while it was idle and the method does no harm twice.
   */
  #mayRepeat(backend: BackendStream, failure: BackendFailure): boolean {
    if (this.#retried || failure.answered || this.#bodySent) return false;
    return failure.unprocessed || (backend.reused && isIdempotent(this.#client.request.method));
  }

  #repeat(): void {
    this.#retried = true;
    this.#report.notes?.repeated();
    if (this.#requestEnd === null) this.#client.pauseBody();
    this.#search?.again();
  }

  onClientGone(reason: TerminationReason): void {
    const toClient = this.#bytesToClient;
    this.#letGo();
    if (this.#done) return;
    this.#over();
    this.#log(reason, null, toClient);
  }

  onRouteRemoved(): void {
    if (this.#done) return;
    const toClient = this.#bytesToClient;
    this.#letGo();
    if (!this.#responding) return this.#refuse(503, 'route-removed');
    this.#over();
    this.#log('route-removed', null, toClient);
    this.#client.abort('route-removed');
  }

  /** The backend's answer did not come in time. */
  onAnswerLate(now: number): void {
    const { responseHeadMs } = (this.#source as StreamSource).timeouts;
    const slowClient = this.#requestEnd === null && !this.#bodyPaused;
    const dueAt = (slowClient ? now : this.#lastSentAt) + responseHeadMs;
    if (dueAt > now) return this.#client.expectAnswer(dueAt);
    this.#letGo();
    this.#refuse(504, 'response-timeout');
  }

  /** Answers in place of a backend. */
  #refuse(status: number, code: string): void {
    this.#answer(errorPage(status, this.#report.requestId), code);
  }

  /** The client's stream is not touched afterwards: it may have the next request already. */
  #answer(answer: LocalAnswer, code: string | null = null): void {
    this.#over();
    const fromClient = this.#client.bytesIn;
    const toClient = this.#client.answer(answer);
    this.#log(code, answer.status, toClient, fromClient);
  }

  /** An answer has begun and cannot be completed: the client must see that (H7). */
  #cut(reason: TerminationReason, code: string, error?: Error): void {
    this.#over();
    this.#log(code, null, this.#client.bytesOut);
    this.#client.abort(reason, error);
  }

  #letGo(): void {
    this.#backend?.abort();
    this.#backend = null;
    this.#tunnel?.stop();
    this.#tunnel = null;
  }

  #over(): void {
    if (this.#done) return;
    this.#done = true;
    this.#source?.stop();
    if (this.route !== null) this.#planner.services.release(this.route, this.#client.record);
  }

  get #bytesToClient(): number {
    return this.#client.bytesOut + (this.#tunnel?.bytesToClient ?? 0);
  }

  #log(
    code: string | null,
    status: number | null,
    toClient: number,
    fromClient = this.#client.bytesIn,
  ): void {
    this.#report.over(code, status, { fromClient, toClient });
  }
}

function statusOfRefusal(reason: TerminationReason): number {
  if (reason === 'blocked') return 403;
  return reason === 'rate-limit' ? 429 : 503;
}
