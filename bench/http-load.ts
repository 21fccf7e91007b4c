/** The programs that ask: wrk for HTTP/1.1, h2load for HTTP/2 and for a fixed rate. */
import { readFileSync } from 'node:fs';
import { programPath } from '../test/support/debian.ts';
import type { Workspace } from '../test/support/workspace.ts';

export interface Load {
  readonly requests: number;
  readonly perSecond: number;
  /** Of answers, with their heads, as wrk saw them. */
  readonly bytes: number;
}

export interface WrkOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** A Lua file that says what is asked; without it GET. */
  readonly script?: string;
}

const units: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };

/** Fails where an answer was an error, or a connection failed: such a figure means nothing. */
export async function wrk(
  workspace: Workspace,
  { url, connections, seconds, script }: WrkOptions,
): Promise<Load> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s'];
  const output = await workspace.run(programPath('wrk'), [...args, ...(script ? ['-s', script] : []), url]);
  const wrong = /(Socket errors|Non-2xx or 3xx responses).*/.exec(output)?.[0];
  if (wrong !== undefined) throw new Error(`wrk tells of ${wrong}`);
  const [, count, bytes, unit = ''] = /(\d+) requests in [\d.]+m?s, ([\d.]+)(\w+) read/.exec(output) ?? [];
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  if (count === undefined || !(perSecond > 0)) throw new Error(`wrk had no answer:\n${output}`);
  return { requests: Number(count), perSecond, bytes: Number(bytes) * (units[unit] ?? 1) };
}

/** POST with a body of this size. */
export function postScript(workspace: Workspace, bodyBytes: number): string {
  return workspace.write('post.lua', `wrk.method = "POST"\nwrk.body = string.rep("x", ${bodyBytes})\n`);
}

function succeeded(output: string): number {
  const count = Number(/(\d+) succeeded/.exec(output)?.[1]);
  const [, failed, errored] = /(\d+) failed, (\d+) errored/.exec(output) ?? [];
  if (!(count > 0)) throw new Error(`no request succeeded, ${failed} failed`);
  if (Number(failed) > 0) throw new Error(`${failed} requests failed, ${errored} of them without an answer`);
  return count;
}

export interface Http2Options {
  readonly port: number;
  readonly connections: number;
  /** On each connection at once. */
  readonly streams: number;
  readonly amount: { readonly seconds: number } | { readonly requests: number };
}

/** HTTP/2 over TLS. Fails where it is not spoken, or a request failed. */
export async function http2Load(
  workspace: Workspace,
  { port, connections, streams, amount }: Http2Options,
): Promise<Load> {
  const output = await workspace.run(programPath('h2load'), [
    ...['-c', `${connections}`, '-m', `${streams}`, '--npn-list=h2'],
    ...('seconds' in amount ? ['-D', `${amount.seconds}`] : ['-n', `${amount.requests}`]),
    // A proxy that does not answer is not waited for.
    ...['--connection-inactivity-timeout', '10'],
    `https://127.0.0.1:${port}/`,
  ]);
  if (!/Application protocol: h2\b/.test(output)) throw new Error('it does not speak HTTP/2');
  const requests = succeeded(output);
  return { requests, perSecond: 'seconds' in amount ? requests / amount.seconds : 0, bytes: 0 };
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** How long an answer took while the rate was held, over HTTP/1.1. */
export async function latencyAt(
  workspace: Workspace,
  {
    url,
    connections,
    perSecond,
    seconds,
  }: { url: string; connections: number; perSecond: number; seconds: number },
): Promise<Latency> {
  const file = workspace.path('latencies.tsv');
  const output = await workspace.run(programPath('h2load'), [
    ...['--h1', '-c', `${connections}`, '-D', `${seconds}`, '--warm-up-time', '1'],
    ...['--rps', `${Math.max(1, perSecond / connections)}`, '--log-file', file, url],
  ]);
  succeeded(output);
  // A row is the start, the status, and the microseconds until the end.
  const durations = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((row) => Number(row.split('\t')[2]))
    .sort((a, b) => a - b);
  const quantile = (share: number): number => (durations[Math.floor(durations.length * share)] ?? 0) / 1000;
  return { p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
