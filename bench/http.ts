/** Requests per second and what each costs, TLS in bulk, and the latency that a proxy adds. */
import {
  type Http2Options,
  http2Load,
  type Latency,
  type Load,
  latencyAt,
  postScript,
  wrk,
} from './http-load.ts';
import type { RunningHttpProxy } from './http-proxies.ts';
import {
  type HttpBenchContext,
  interleaveHttp,
  type Spent,
  spentDuring,
  startBackend,
  writeCertificate,
} from './http-stage.ts';
import type { QuantityName } from './measurements.ts';

const connections = 32;
const postBytes = 10 * 1024;
const bulkConnections = 4;
const http2Connections = 8;
const http2Streams = 100;
/** Requests before the first measurement. */
const http2WarmUp = 4_000;
/** Before the first measurement. */
const warmUpSeconds = 2;

export const http = (context: HttpBenchContext): Promise<void> => requests(context, 'http');
export const https = (context: HttpBenchContext): Promise<void> => requests(context, 'https');

const requestQuantities = {
  http: { get: ['http', 'httpCpu'], post: ['httpPost', 'httpPostCpu'] },
  https: { get: ['https', 'httpsCpu'], post: ['httpsPost', 'httpsPostCpu'] },
} as const;

/** GET with an answer of 1 KB, and POST of 10 KB, each on kept connections. */
async function requests(context: HttpBenchContext, protocol: 'http' | 'https'): Promise<void> {
  const { workspace, seconds } = context;
  const target = await startBackend(workspace);
  if (protocol === 'https') await writeCertificate(workspace);
  const script = postScript(workspace, postBytes);
  const quantities = requestQuantities[protocol];
  const ask = (port: number, duration: number, extra: { script?: string } = {}): Promise<Load> =>
    wrk(workspace, { url: `${protocol}://127.0.0.1:${port}/`, connections, seconds: duration, ...extra });
  if (protocol === 'http' && context.proxies.includes('direct')) {
    context.measured.add(quantities.get[0], 'direct', (await ask(target, seconds)).perSecond);
  }
  await interleaveHttp(
    context,
    { protocol, target },
    {
      load: async (port) => void (await ask(port, warmUpSeconds)),
      measure: async (proxy) => {
        const { port, program } = proxy;
        record(context, proxy, quantities.get, await spentDuring(program.pid, () => ask(port, seconds)));
        const posted = await spentDuring(program.pid, () => ask(port, seconds, { script }));
        record(context, proxy, quantities.post, posted);
      },
    },
  );
}

function record(
  { measured }: HttpBenchContext,
  { name }: RunningHttpProxy,
  [rate, cost]: readonly [QuantityName, QuantityName],
  { perSecond, requests: count, processor }: Load & Spent,
): void {
  measured.add(rate, name, perSecond);
  measured.add(cost, name, (processor / count) * 1e6);
}

export async function http2(context: HttpBenchContext): Promise<void> {
  const { workspace, seconds } = context;
  const target = await startBackend(workspace);
  await writeCertificate(workspace);
  const ask = (port: number, amount: Http2Options['amount']): Promise<Load> =>
    http2Load(workspace, { port, connections: http2Connections, streams: http2Streams, amount });
  await interleaveHttp(
    context,
    { protocol: 'http2', target },
    {
      load: async (port) => void (await ask(port, { requests: http2WarmUp })),
      measure: async (proxy) => {
        const spent = await spentDuring(proxy.program.pid, () => ask(proxy.port, { seconds }));
        record(context, proxy, ['http2', 'http2Cpu'], spent);
      },
    },
  );
}

/** A body of 4 MB again and again, over a few connections. */
export async function tlsBulk(context: HttpBenchContext): Promise<void> {
  const { workspace, measured, seconds } = context;
  const target = await startBackend(workspace);
  await writeCertificate(workspace);
  const ask = (port: number, duration: number): Promise<Load> =>
    wrk(workspace, {
      url: `https://127.0.0.1:${port}/bulk`,
      connections: bulkConnections,
      seconds: duration,
    });
  await interleaveHttp(
    context,
    { protocol: 'https', target },
    {
      load: async (port) => void (await ask(port, warmUpSeconds)),
      measure: async ({ name, port, program }) => {
        const { bytes, processor } = await spentDuring(program.pid, () => ask(port, seconds));
        measured.add('tlsBulk', name, (bytes * 8) / seconds / 1e9);
        measured.add('tlsBulkCpu', name, processor / (bytes / 1e9));
      },
    },
  );
}

/**
 * Each proxy at half of what it can do, and the backend alone at the same rate: the difference is
 * what the proxy adds.
 */
export async function latencyHttp(context: HttpBenchContext): Promise<void> {
  const { workspace, measured, seconds } = context;
  const target = await startBackend(workspace);
  const limits = new Map<number, number>();
  const url = (port: number): string => `http://127.0.0.1:${port}/`;
  const at = (port: number, perSecond: number): Promise<Latency> =>
    latencyAt(workspace, { url: url(port), connections, perSecond, seconds });
  const find = async (port: number): Promise<void> => {
    await wrk(workspace, { url: url(port), connections, seconds: warmUpSeconds });
    const { perSecond } = await wrk(workspace, { url: url(port), connections, seconds });
    limits.set(port, perSecond);
  };
  await interleaveHttp(
    context,
    { protocol: 'http', target },
    {
      load: find,
      measure: async ({ name, port }) => {
        const half = (limits.get(port) ?? 0) / 2;
        const alone = await at(target, half);
        const behind = await at(port, half);
        measured.add('httpHalfLoad', name, half);
        measured.add('httpP50Added', name, behind.p50Ms - alone.p50Ms);
        measured.add('httpP99Added', name, behind.p99Ms - alone.p99Ms);
      },
    },
  );
}
