/**
 * What choosing a route costs with 10, 1,000 and 100,000 names: exact, under wildcards of their
 * own, and unknown. Prints nanoseconds for each choice, the reading of the name included, and the
 * ratio to 10 names; the line `ratio:` is the one of 100,000 exact names.
 *
 * Usage: node bench/routing.ts
 */
import type { ResolvedRoute, Timeouts } from '../src/config/resolved.ts';
import { compileRoutes } from '../src/routing/route-index.ts';

const sizes = [10, 1_000, 100_000];
const choicesPerRound = 200_000;
const rounds = 9;

/** Names are looked up in an order that no cache likes, the same for every size. */
const distinctNames = 1_000;

function route(order: number, domain: string): ResolvedRoute {
  return {
    name: `route-${order}`,
    order,
    priority: 0,
    match: {
      ports: [{ from: 443, to: 443 }],
      address: null,
      domains: [domain],
      path: null,
      methods: null,
      headers: null,
      clientIp: null,
      protocol: 'tls',
      alpn: null,
    },
    action: { type: 'block', how: 'close' },
    tls: null,
    inheritsTls: false,
    security: { allow: [], block: [] },
    limits: {
      maxConnections: 0,
      maxConnectionsPerIp: 0,
      connectionsPerMinutePerIp: 0,
      initialDataBytes: 65_536,
      pendingBytesPerConnection: 1_048_576,
      headerBytes: 65_536,
      relayBufferBytes: 0,
    },
    timeouts: { initialDataMs: 15_000 } as Timeouts,
    fingerprint: '',
  };
}

interface Shape {
  readonly title: string;
  pattern(i: number): string;
  wanted(i: number): string;
}

const shapes: readonly Shape[] = [
  { title: 'exact names', pattern: (i) => `site-${i}.example.test`, wanted: (i) => `site-${i}.example.test` },
  {
    title: 'wildcards',
    pattern: (i) => `*.site-${i}.example.test`,
    wanted: (i) => `www.site-${i}.example.test`,
  },
  {
    title: 'unknown names',
    pattern: (i) => `site-${i}.example.test`,
    wanted: (i) => `no-${i}.elsewhere.test`,
  },
];

/** One size of one shape, ready to be measured. */
interface Case {
  readonly size: number;
  readonly compileMs: number;
  readonly times: number[];
  round(): number;
}

function prepare(shape: Shape, size: number): Case {
  const routes = Array.from({ length: size }, (_, i) => route(i, shape.pattern(i)));
  const before = performance.now();
  const table = compileRoutes(routes).table('*:443', '127.0.0.1');
  const compileMs = performance.now() - before;
  // A name that arrives is a fresh string each time, whose hash nobody knows yet.
  const names = Array.from({ length: distinctNames }, (_, i) => Buffer.from(shape.wanted((i * 7919) % size)));
  const found = shape.title !== 'unknown names';
  const round = (): number => {
    const start = performance.now();
    for (let i = 0; i < choicesPerRound; i++) {
      const serverName = (names[i % distinctNames] as Buffer).toString('latin1');
      const query = { clientIp: '192.0.2.7', kind: 'tls', serverName, alpn: ['h2', 'http/1.1'] } as const;
      if ((table?.match(query) !== undefined) !== found) throw new Error(`wrong route for ${serverName}`);
    }
    return ((performance.now() - start) * 1e6) / choicesPerRound;
  };
  return { size, compileMs, times: [], round };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

for (const shape of shapes) {
  const cases = sizes.map((size) => prepare(shape, size));
  for (const { round } of cases) round();
  // In turns, so that what else the machine does falls on all sizes alike.
  for (let i = 0; i < rounds; i++) for (const one of cases) one.times.push(one.round());
  for (const { size, times, compileMs } of cases) {
    const ratio = median(times.map((time, i) => time / (cases[0]?.times[i] as number)));
    const figures = `${median(times).toFixed(0).padStart(5)} ns  × ${ratio.toFixed(2)}  compiled in ${compileMs.toFixed(0)} ms`;
    console.log(`${shape.title.padEnd(14)} ${String(size).padStart(7)}  ${figures}`);
    if (shape === shapes[0] && size === sizes.at(-1)) console.log(`ratio: ${ratio.toFixed(2)}`);
  }
}
