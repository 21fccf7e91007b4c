import { clientHello, joinBytes, proxyHeaderV1, proxyHeaderV2 } from '../first-bytes.ts';
import type { Deed } from '../peer.ts';
import type { Choices } from '../random.ts';
import type { Script, Step } from './actor.ts';
import type { LimitPlan } from './plan.ts';
import { ports } from './routes.ts';

/** What a client's first bytes are, as the invariants need it. */
export interface Opening {
  /** Bytes of a valid PROXY header that comes first. */
  readonly proxyHeaderBytes: number;
  /** The client's real address, if a PROXY header tells it. */
  readonly realIp: string | null;
  readonly kind: 'hello' | 'http' | 'garbage' | 'payload' | 'nothing';
  readonly serverName: string | null;
  /** False where the client stops in the middle of it, and sends something else after that. */
  readonly whole: boolean;
}

interface ClientContext {
  behindProxy: boolean;
  localPort: number;
  port: number;
  limits: LimitPlan;
}

const openingPorts: readonly number[] = [ports.names, ports.mixed, ports.bridged];

export function clientScript(choices: Choices, context: ClientContext): { opening: Opening; script: Script } {
  const header = context.behindProxy
    ? proxyHeader(choices, context.port)
    : { bytes: new Uint8Array(0), ip: null };
  const first = firstBytes(choices, context.localPort);
  const start = joinBytes([header.bytes, first.bytes]);
  const steps: Step[] = [];
  const { whole, endsAtMs } = openingSteps(choices, start, steps);
  const atMs = payloadSteps(choices, endsAtMs, steps);
  endingSteps(choices, atMs, steps);
  const opening: Opening = {
    proxyHeaderBytes: header.ip === null ? 0 : header.bytes.length,
    realIp: header.ip,
    kind: first.kind,
    serverName: first.serverName,
    whole,
  };
  return { opening, script: { steps, echo: false, reads: choices.chance(0.9), afterEnd: afterEnd(choices) } };
}

export function backendScript(choices: Choices): Script {
  const steps: Step[] = [];
  const atMs = payloadSteps(choices, choices.of([0, 0, 20]), steps);
  endingSteps(choices, atMs, steps);
  return { steps, echo: choices.chance(0.3), reads: choices.chance(0.9), afterEnd: afterEnd(choices) };
}

/** A header, now and then one that is wrong or missing: then the address is null. */
function proxyHeader(choices: Choices, port: number): { bytes: Uint8Array; ip: string | null } {
  const ip = `198.51.100.${choices.between(1, 3)}`;
  switch (choices.weighted({ v1: 4, v2: 4, broken: 0.6, missing: 0.6 })) {
    case 'v1':
      return { bytes: proxyHeaderV1(ip, port), ip };
    case 'v2':
      return { bytes: proxyHeaderV2(ip, port), ip };
    case 'broken':
      return { bytes: proxyHeaderV1('1.2.3', port), ip: null };
    case 'missing':
      return { bytes: new Uint8Array(0), ip: null };
  }
}

function firstBytes(
  choices: Choices,
  localPort: number,
): Pick<Opening, 'kind' | 'serverName'> & { bytes: Uint8Array } {
  const kind = openingPorts.includes(localPort)
    ? choices.weighted({ hello: 12, http: 1, garbage: 1, nothing: 1 })
    : 'payload';
  if (kind === 'http')
    return { kind, serverName: null, bytes: ascii('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n') };
  if (kind === 'garbage') return { kind, serverName: null, bytes: choices.bytes(40) };
  if (kind !== 'hello') return { kind, serverName: null, bytes: new Uint8Array(0) };
  const serverName = choices.of(['a.test', 'x.b.test', 'y.x.b.test', 'other.test', null]);
  const bytes = clientHello({
    serverName,
    alpn: choices.of([[], ['h2', 'http/1.1']]),
    keyShareBytes: choices.of([32, 32, 1_216]),
    recordBytes: choices.of([16_384, 16_384, 200, 50]),
  });
  return { kind, serverName, bytes };
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** In one piece, in several, or drop by drop; sometimes never to its end. */
function openingSteps(
  choices: Choices,
  bytes: Uint8Array,
  steps: Step[],
): { whole: boolean; endsAtMs: number } {
  const pieces = choices.of([1, 1, 2, 5]);
  const pauseMs = choices.of([0, 1, 15, 300]);
  const until = choices.chance(0.06) ? choices.between(0, bytes.length) : bytes.length;
  let atMs = choices.of([0, 0, choices.between(0, 40)]);
  for (let from = 0, piece = 1; from < until; piece++) {
    const to = piece === pieces ? until : choices.between(from + 1, until);
    steps.push({ atMs, deed: 'write', bytes: bytes.subarray(from, to) });
    from = to;
    atMs += pauseMs;
  }
  return { whole: until === bytes.length, endsAtMs: atMs };
}

function payloadSteps(choices: Choices, startMs: number, steps: Step[]): number {
  let atMs = startMs;
  for (let left = choices.of([0, 1, 1, 2, 4]); left > 0; left--) {
    const size = choices.of([choices.between(0, 5), choices.between(0, 300), choices.between(0, 900)]);
    steps.push({ atMs, deed: 'write', bytes: choices.bytes(size) });
    if (choices.chance(0.15)) steps.push({ atMs: atMs + choices.between(0, 30), deed: 'pause' });
    if (choices.chance(0.25)) steps.push({ atMs: atMs + choices.between(0, 400), deed: 'resume' });
    atMs += choices.of([0, choices.between(0, 10), choices.between(0, 200)]);
  }
  return atMs;
}

function endingSteps(choices: Choices, atMs: number, steps: Step[]): void {
  const deed = choices.weighted<Deed | 'idle'>({
    fin: 9,
    idle: 3,
    destroy: 2,
    reset: 2,
    'give-up': 0.5,
    pause: 0,
    resume: 0,
  });
  if (deed === 'idle') return;
  const deedAtMs = atMs + choices.of([0, 0, choices.between(0, 20), choices.between(0, 600)]);
  steps.push({ atMs: deedAtMs, deed });
  if (choices.chance(0.15)) {
    const second = choices.of<Deed>(['reset', 'destroy', 'destroy']);
    steps.push({ atMs: deedAtMs + choices.of([0, choices.between(0, 300)]), deed: second });
  }
}

function afterEnd(choices: Choices): Script['afterEnd'] {
  const deed = choices.weighted<'fin' | 'destroy' | 'reset' | 'nothing'>({
    fin: 8,
    destroy: 2,
    reset: 0.5,
    nothing: 1,
  });
  return { deed, delayMs: choices.of([0, 0, choices.between(0, 300)]) };
}
