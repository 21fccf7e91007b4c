import { joinBytes, proxyHeaderV1, proxyHeaderV2 } from '../first-bytes.ts';
import type { AfterEnd, Deed } from '../peer.ts';
import type { Choices } from '../random.ts';
import { type RequestPlan, requestPlan } from './requests.ts';

/** What a client waits for before its next act. */
export interface Until {
  /** So many final answers are complete. */
  readonly answers?: number;
  /** The head of an answer came, an interim one too. */
  readonly head?: true;
  /** HTTP is over. */
  readonly tunnel?: true;
  /** It does not wait longer. */
  readonly patienceMs: number;
}

export type Act = {
  readonly until?: Until;
  readonly afterMs: number;
  /** Left out where there is no tunnel. */
  readonly inTunnel?: true;
} & ({ readonly deed: 'write'; readonly bytes: Uint8Array } | { readonly deed: Deed });

/** The whole behaviour of a client on one connection. */
export interface ClientScript {
  readonly requests: readonly RequestPlan[];
  /** Bytes of a PROXY header that comes first. */
  readonly proxyHeaderBytes: number;
  /** The client's real address, where a PROXY header tells it. */
  readonly realIp: string | null;
  readonly acts: readonly Act[];
  readonly reads: boolean;
  readonly afterEnd: AfterEnd;
}

interface Context {
  readonly behindProxy: boolean;
  readonly port: number;
  readonly awaits: boolean;
}

export function clientScript(choices: Choices, name: string, context: Context): ClientScript {
  const ip = `198.51.100.${choices.between(1, 3)}`;
  const header = !context.behindProxy
    ? new Uint8Array(0)
    : choices.chance(0.5)
      ? proxyHeaderV1(ip, context.port)
      : proxyHeaderV2(ip, context.port);
  const requests = Array.from({ length: choices.of([0, 1, 1, 2, 3, 4, 6]) }, (_, index) =>
    requestPlan(choices, `${name}r${index}`, context.awaits),
  );
  const acts: Act[] = header.length > 0 ? [{ afterMs: 0, deed: 'write', bytes: header }] : [];
  askAll(choices, requests, acts);
  addPauses(choices, acts);
  endActs(choices, requests, acts);
  return {
    requests,
    proxyHeaderBytes: header.length,
    realIp: context.behindProxy ? ip : null,
    acts,
    reads: choices.chance(0.95),
    afterEnd: afterEnd(choices),
  };
}

const patienceMs = 20_000;

function askAll(choices: Choices, requests: readonly RequestPlan[], acts: Act[]): void {
  const pipelines = choices.chance(0.35);
  let together: Uint8Array[] = [];
  requests.forEach((request, index) => {
    const waits = !pipelines || choices.chance(0.2);
    const until = waits && index > 0 ? { answers: index, patienceMs } : undefined;
    if (until !== undefined) together = flush(choices, together, acts);
    if (until !== undefined) acts.push({ until, afterMs: pause(choices), deed: 'write', bytes: nothing });
    together.push(request.head);
    if (request.expects && choices.chance(0.8)) {
      together = flush(choices, together, acts);
      const before = { head: true, patienceMs: choices.of([50, 500]) } as const;
      acts.push({ until: before, afterMs: 0, deed: 'write', bytes: nothing });
    } else if (choices.chance(0.3)) together = flush(choices, together, acts);
    together.push(request.content);
    if (request.upgrade) {
      together = flush(choices, together, acts);
      tunnelActs(choices, index === requests.length - 1, acts);
    }
  });
  flush(choices, together, acts);
}

const nothing = new Uint8Array(0);

/** Time between two requests: sometimes as long as keep-alive lasts, or as a backend waits. */
function pause(choices: Choices): number {
  return choices.of([0, 0, choices.between(0, 20), choices.between(0, 120), choices.between(0, 1_500)]);
}

/** Writes what was put together, in one piece or in several. */
function flush(choices: Choices, together: readonly Uint8Array[], acts: Act[]): Uint8Array[] {
  const bytes = joinBytes(together);
  const pieces = choices.of([1, 1, 1, 2, 4]);
  const pauseMs = choices.of([0, 0, 1, 15, 80]);
  for (let from = 0, piece = 1; from < bytes.length; piece++) {
    const to = piece >= pieces ? bytes.length : choices.between(from + 1, bytes.length);
    acts.push({ afterMs: piece === 1 ? 0 : pauseMs, deed: 'write', bytes: bytes.subarray(from, to) });
    from = to;
  }
  return [];
}

/** What goes through the tunnel, once it is there; behind a last request now and then before that. */
function tunnelActs(choices: Choices, isLast: boolean, acts: Act[]): void {
  const eager = isLast && choices.chance(0.15);
  const until = { tunnel: true, patienceMs: 300 } as const;
  for (let left = choices.of([0, 1, 2]); left > 0; left--) {
    acts.push({
      ...(!eager && { until, inTunnel: true }),
      afterMs: choices.of([0, choices.between(0, 30), choices.between(0, 400)]),
      deed: 'write',
      bytes: choices.bytes(choices.between(1, 600)),
    });
  }
}

/** It stops reading for a while. */
function addPauses(choices: Choices, acts: Act[]): void {
  if (!choices.chance(0.15)) return;
  const at = choices.between(0, acts.length);
  const pauses: Act[] = [
    { afterMs: choices.of([0, 5, 40]), deed: 'pause' },
    { afterMs: choices.of([5, 40, 300, 2_000]), deed: 'resume' },
  ];
  acts.splice(at, 0, ...pauses);
}

function endActs(choices: Choices, requests: readonly RequestPlan[], acts: Act[]): void {
  const deed = choices.weighted<Deed | 'idle'>({
    fin: 8,
    idle: 4,
    destroy: 2,
    reset: 2,
    'give-up': 0.5,
    pause: 0,
    resume: 0,
  });
  if (deed === 'idle') return;
  const answers = choices.of([0, requests.length, requests.length, choices.between(0, requests.length)]);
  const until = { answers, patienceMs };
  const afterMs = choices.of([0, 0, choices.between(0, 20), choices.between(0, 600)]);
  const early = choices.chance(0.12);
  acts.splice(early ? choices.between(0, acts.length) : acts.length, 0, { until, afterMs, deed });
}

function afterEnd(choices: Choices): AfterEnd {
  const deed = choices.weighted<'fin' | 'destroy' | 'reset' | 'nothing'>({
    fin: 8,
    destroy: 2,
    reset: 0.5,
    nothing: 1,
  });
  return { deed, delayMs: choices.of([0, 0, choices.between(0, 300)]) };
}
