/** What one side of a flow has sent so far: layer-3 bytes, headers included. */
export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

/** One flow as a line of `conntrack` tells it: an event, or an entry of a listing. */
export interface FlowLine {
  /** Null in a listing. */
  readonly event: 'NEW' | 'UPDATE' | 'DESTROY' | null;
  /** When the event was read from the kernel, in milliseconds since the epoch; null in a listing. */
  readonly at: number | null;
  /** Of connection tracking, such as ESTABLISHED; null where it is not told. */
  readonly state: string | null;
  /** Client and the address that it connected to: no two flows have these at one time. */
  readonly key: string;
  readonly clientIp: string;
  readonly clientPort: number;
  readonly localIp: string;
  readonly localPort: number;
  readonly targetIp: string;
  readonly targetPort: number;
  /** Null where the line has none: events have counters at the end of a flow only. */
  readonly fromClient: Traffic | null;
  readonly toClient: Traffic | null;
  /** Whether the handshake was done. */
  readonly assured: boolean;
  readonly mark: number;
  /** Tells a flow from an earlier one with the same key. */
  readonly id: number;
  /** Seconds that it has lived; null where it is not told. */
  readonly ageSeconds: number | null;
}

const pattern = new RegExp(
  [
    /^(?:\[(?<at>\d+\.\d+)\]\s+\[(?<event>NEW|UPDATE|DESTROY)\] )?tcp +6 (?:\d+ )?(?:(?<state>[A-Z_]+\d?) )?/,
    /src=(?<client>\S+) dst=(?<local>\S+) sport=(?<clientPort>\d+) dport=(?<localPort>\d+) /,
    /(?:packets=(?<packets>\d+) bytes=(?<bytes>\d+) )?(?:\[UNREPLIED\] )?/,
    /src=(?<target>\S+) dst=\S+ sport=(?<targetPort>\d+) dport=\d+ /,
    /(?:packets=(?<replyPackets>\d+) bytes=(?<replyBytes>\d+) )?/,
    /(?<assured>\[ASSURED\] )?.*?mark=(?<mark>\d+)(?:.*? delta-time=(?<age>\d+))?.*? id=(?<id>\d+)/,
  ]
    .map(({ source }) => source)
    .join(''),
);

/** Undefined for a line of another kind: another protocol, another tool's notice. */
export function parseFlowLine(line: string): FlowLine | undefined {
  const found = pattern.exec(line)?.groups as Record<string, string | undefined> | undefined;
  if (found === undefined) return undefined;
  const { client = '', local = '', clientPort = '', localPort = '', target = '' } = found;
  return {
    event: (found.event as FlowLine['event']) ?? null,
    at: found.at === undefined ? null : Number(found.at) * 1000,
    state: found.state ?? null,
    key: `${client} ${clientPort} ${local} ${localPort}`,
    clientIp: client,
    clientPort: Number(clientPort),
    localIp: local,
    localPort: Number(localPort),
    targetIp: target,
    targetPort: Number(found.targetPort),
    fromClient: traffic(found.packets, found.bytes),
    toClient: traffic(found.replyPackets, found.replyBytes),
    assured: found.assured !== undefined,
    mark: Number(found.mark),
    id: Number(found.id),
    ageSeconds: found.age === undefined ? null : age(found.age),
  };
}

/**
 * `conntrack` subtracts the second in which a flow began from one that may be read from a clock a little behind, and
 * prints the difference without a sign: 2^64 - 1 for a flow that began in this very moment.
 */
function age(seconds: string): number {
  const difference = Number(seconds);
  return difference >= 2 ** 63 ? 0 : difference;
}

function traffic(packets: string | undefined, bytes: string | undefined): Traffic | null {
  return packets === undefined || bytes === undefined
    ? null
    : { packets: Number(packets), bytes: Number(bytes) };
}

/** Cuts a stream of text into lines; what is after the last line break waits for more. */
export class LineSplitter {
  #rest = '';
  readonly #onLine: (line: string) => void;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
  }
}
