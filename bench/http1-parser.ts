/**
 * What reading a head costs, ours and llhttp as Node uses it: nanoseconds for each head, medians
 * of rounds that alternate. Ours makes no texts but those that are asked for; llhttp makes all, so
 * ours is also measured with method, target, host and every field read.
 *
 * Usage: node bench/http1-parser.ts
 */
import { createRequire } from 'node:module';
import { hopByHopFields } from '../src/network-proxy/http1/connection-options.ts';
import { type Head, RequestHead } from '../src/network-proxy/http1/head.ts';
import { copyRequestHead } from '../src/network-proxy/http1/head-writer.ts';
import { RequestParser } from '../src/network-proxy/http1/request-parser.ts';
import { ResponseParser } from '../src/network-proxy/http1/response-parser.ts';

const headsPerRound = 30_000;
const rounds = 15;
const limits = { headerBytes: 65_536 };

const small = Buffer.from('GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: wrk\r\n\r\n');
const browser = Buffer.from(
  [
    'GET /static/app.js?v=3 HTTP/1.1',
    'Host: www.a.test',
    'Connection: keep-alive',
    'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-US,en;q=0.9',
    '\r\n',
  ].join('\r\n'),
);
const answer = Buffer.from(
  [
    'HTTP/1.1 200 OK',
    'Server: nginx/1.26.0',
    'Date: Mon, 05 Jan 2026 10:00:00 GMT',
    'Content-Type: text/html; charset=utf-8',
    'Content-Length: 0',
    'Last-Modified: Sun, 04 Jan 2026 10:00:00 GMT',
    'Connection: keep-alive',
    'ETag: "65a1b2c3-400"',
    'Accept-Ranges: bytes',
    '\r\n',
  ].join('\r\n'),
);

interface NativeParser {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(bytes: Uint8Array): unknown;
  [callback: number]: () => unknown;
}

const { HTTPParser } = createRequire(import.meta.url)('node:_http_common') as {
  HTTPParser: { new (): NativeParser } & Record<string, number>;
};

function llhttp(bytes: Buffer, type: number): () => unknown {
  const parser = new HTTPParser();
  for (const name of [
    'kOnMessageBegin',
    'kOnHeaders',
    'kOnBody',
    'kOnMessageComplete',
    'kOnHeadersComplete',
  ]) {
    parser[HTTPParser[name]!] = () => 0;
  }
  parser.initialize(type, {}, limits.headerBytes, 0);
  return () => parser.execute(bytes);
}

function ours(bytes: Buffer, response = false, use: (head: Head) => unknown = () => 0): () => unknown {
  const parser = response ? new ResponseParser(limits) : new RequestParser(limits);
  return () => {
    const head = parser.parse(bytes, 0, bytes.length);
    if (head === null || head.kind === 'invalid') throw new Error('the sample is refused');
    return use(head);
  };
}

function readAll(head: Head): number {
  let length = 0;
  for (let index = 0; index < head.fieldCount; index++) {
    length += head.nameAt(index).length + head.valueAt(index).length;
  }
  return length;
}

const out = { memory: Buffer.alloc(limits.headerBytes), end: 0, reserve() {} };

function rewrite(head: Head): unknown {
  if (!(head instanceof RequestHead)) return 0;
  out.end = 0;
  copyRequestHead(head, { drop: hopByHopFields(head), target: null, host: null }, out);
  return out.end;
}

const subjects: [string, () => unknown][] = [];
for (const [name, bytes] of Object.entries({ small, browser })) {
  const title = `${name} request, ${bytes.length} bytes`;
  subjects.push([`${title}: ours`, ours(bytes)]);
  subjects.push([`${title}: ours, all fields as text`, ours(bytes, false, readAll)]);
  subjects.push([`${title}: ours, parsed and rewritten`, ours(bytes, false, rewrite)]);
  subjects.push([`${title}: llhttp`, llhttp(bytes, HTTPParser.REQUEST!)]);
}
subjects.push([`response, ${answer.length} bytes: ours`, ours(answer, true)]);
subjects.push([`response, ${answer.length} bytes: llhttp`, llhttp(answer, HTTPParser.RESPONSE!)]);

const times = subjects.map((): number[] => []);
for (let round = 0; round < rounds; round++) {
  for (const [index, [, run]] of subjects.entries()) {
    const startedAt = performance.now();
    for (let count = 0; count < headsPerRound; count++) run();
    times[index]!.push(((performance.now() - startedAt) * 1e6) / headsPerRound);
  }
}
for (const [index, [name]] of subjects.entries()) {
  const sorted = times[index]!.sort((a, b) => a - b);
  console.log(
    `${String(Math.round(sorted[rounds >> 1]!)).padStart(7)} ns  (best ${Math.round(sorted[0]!)})  ${name}`,
  );
}
