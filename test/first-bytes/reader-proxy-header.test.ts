import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProxyHeader } from '../../src/first-bytes/proxy-header-parser.ts';
import {
  type FirstBytes,
  type FirstBytesFailure,
  type FirstBytesOptions,
  readFirstBytes,
} from '../../src/first-bytes/reader.ts';
import { memoryPair } from '../../src/transport/memory-transport.ts';
import { encodeProxyHeader } from '../../src/transport/proxy-header.ts';
import { buildHello, concat, latin1 } from '../support/client-hellos.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const source = { ip: '192.0.2.7', port: 50_000 };
const destination = { ip: '198.51.100.2', port: 443 };
const headers = [
  encodeProxyHeader(1, { source, destination }),
  encodeProxyHeader(2, { source, destination, tlvs: { authority: 'a.test', crc32c: true } }),
];
const hello = buildHello({ serverName: 'a.test' });

/** Sends pieces, then FIN if asked; returns what came of it, and proves that nothing is left. */
function read(
  pieces: readonly (Uint8Array | string)[],
  options: Partial<FirstBytesOptions> & { fin?: boolean } = {},
): (FirstBytes | FirstBytesFailure)[] {
  const clock = new VirtualClock();
  const [client, server] = memoryPair({ clock });
  const results: (FirstBytes | FirstBytesFailure)[] = [];
  const defaults = { proxyHeader: 'required', detect: true, maxBytes: 65_536 } as const;
  const reader = readFirstBytes(server, { ...defaults, ...options }, (result) => results.push(result));
  for (const piece of pieces) {
    client.write(typeof piece === 'string' ? latin1(piece) : piece);
    clock.flush();
  }
  if (options.fin) client.end();
  clock.flush();
  reader.stop();
  assert.deepEqual([server.listener, server.paused, reader.bufferedBytes, clock.pending], [null, true, 0, 0]);
  assert.ok(results.length <= 1);
  return results;
}

function succeed(...parameters: Parameters<typeof read>): FirstBytes {
  const [result] = read(...parameters);
  assert.equal(result?.outcome, 'read', JSON.stringify(result));
  return result as FirstBytes;
}

function reason(...parameters: Parameters<typeof read>): string | undefined {
  const [result] = read(...parameters);
  return result?.outcome === 'failed' ? result.reason : result?.outcome;
}

// P1, P2
test('a header and a hello, cut anywhere: the header is told, the bytes after it are kept', () => {
  for (const header of headers) {
    const all = concat(header, hello);
    for (let at = 1; at <= all.length; at++) {
      const seen: ProxyHeader[] = [];
      const onProxyHeader = (told: ProxyHeader) => {
        seen.push(told);
        return { detect: true };
      };
      const result = succeed([all.subarray(0, at), all.subarray(at)], { onProxyHeader });
      assert.deepEqual([seen.length, seen[0]?.source], [1, source]);
      assert.equal(result.proxyHeader, seen[0]);
      assert.equal(result.hello?.serverName, 'a.test');
      assert.deepEqual(new Uint8Array(result.bytes), hello);
    }
  }
});

// P1, P2
test('one byte at a time gives the same', () => {
  for (const header of headers) {
    const result = succeed(Array.from(concat(header, hello), (byte) => Uint8Array.of(byte)));
    assert.equal(result.proxyHeader?.length, header.length);
    assert.deepEqual(new Uint8Array(result.bytes), hello);
  }
});

test('without detection the header is enough: a server may speak first', () => {
  for (const header of headers) {
    const { kind, bytes } = succeed([header], { detect: false });
    assert.deepEqual([kind, bytes.length], ['none', 0]);
    const fused = succeed([concat(header, latin1('payload'))], { onProxyHeader: () => ({ detect: false }) });
    assert.deepEqual([fused.kind, new Uint8Array(fused.bytes)], ['none', latin1('payload')]);
  }
});

test('the address may be refused as soon as it is known: no result, nothing left', () => {
  for (const header of headers) {
    let asked = 0;
    const onProxyHeader = () => {
      asked++;
      return null;
    };
    assert.deepEqual(read([concat(header, hello), 'more'], { onProxyHeader }), []);
    assert.equal(asked, 1);
  }
});

// P1, P2, P4
test('a peer that must send a header and sends something else is refused', () => {
  for (const first of [
    'GET / HTTP/1.1\r\n',
    '\x16\x03\x01',
    'PROXY TCP4 1.1.1.1 2.2.2.2 1 99999\r\n',
    'PROXY \n',
  ]) {
    assert.equal(reason([first]), 'invalid-proxy-header', first);
  }
  const unsigned = (headers[1] as Uint8Array).slice();
  unsigned[unsigned.length - 1] = (unsigned[unsigned.length - 1] as number) ^ 1;
  assert.equal(reason([unsigned]), 'invalid-proxy-header');
});

// P4
test('a peer that ends before or inside its header is client-closed', () => {
  for (const first of [[], ['PROXY TCP4 '], ['\r\n\r\n']])
    assert.equal(reason(first, { fin: true }), 'client-closed');
  assert.equal(reason([headers[0] as Uint8Array], { fin: true }), 'client-closed');
});

// P3
test('a header that nobody asked for is other bytes, kept, and said to be there', () => {
  for (const header of headers) {
    const result = succeed([concat(header, hello)], { proxyHeader: 'none' });
    assert.deepEqual([result.kind, result.unwantedProxyHeader, result.proxyHeader], ['other', true, null]);
    assert.deepEqual(new Uint8Array(result.bytes), concat(header, hello));
  }
});

test('header and hello share one limit, whatever the split', () => {
  for (const header of headers) {
    const all = concat(header, hello);
    const bytewise = Array.from(all, (byte) => Uint8Array.of(byte));
    for (const pieces of [[all], bytewise]) {
      assert.equal(reason(pieces, { maxBytes: all.length }), 'read');
      assert.equal(reason(pieces, { maxBytes: all.length - 1 }), 'initial-data-too-large');
    }
  }
  const long = encodeProxyHeader(2, { source, destination, tlvs: { authority: 'a'.repeat(300) } });
  assert.equal(reason([long.subarray(0, 16)], { maxBytes: 200 }), 'initial-data-too-large');
});

test('the second header is not read: what follows the first is the client’s', () => {
  const result = succeed([concat(headers[0] as Uint8Array, headers[1] as Uint8Array)]);
  assert.deepEqual([result.proxyHeader?.version, result.unwantedProxyHeader], [1, true]);
});
