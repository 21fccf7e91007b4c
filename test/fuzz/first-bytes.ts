import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { type FirstBytes, type FirstBytesFailure, readFirstBytes } from '../../src/first-bytes/reader.ts';
import { memoryPair } from '../../src/transport/memory-transport.ts';
import { encodeProxyHeader } from '../../src/transport/proxy-header.ts';
import { buildHelloMessage, concat, inRecords, latin1 } from '../support/client-hellos.ts';
import { seededRandom, VirtualClock } from '../support/virtual-clock.ts';

/** Numbers from one seed. */
class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** 0 to `below` − 1. */
  roll(below: number): number {
    return Math.floor(this.#random() * below);
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.roll(values.length)] as Value;
  }
}

const source = { ip: '192.0.2.1', port: 1 };
const names = [
  'a.test',
  'b.test',
  'c-1.a.test',
  'A.Test.',
  '10.0.0.1',
  '',
  'a\0b',
  'x'.repeat(70),
  null,
] as const;

function makeProxyHeader(dice: Dice): Uint8Array {
  const destination = dice.pick([source, { ip: '2001:db8::1', port: 443 }, { ip: '', port: 0 }]);
  const tlvs = { authority: 'a.test', uniqueId: 'id', crc32c: dice.roll(2) === 0 };
  return encodeProxyHeader(dice.pick([1, 2]), { source, destination, tlvs });
}

function makePayload(dice: Dice): Uint8Array {
  if (dice.roll(4) === 0)
    return latin1(dice.pick(['GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n', 'PING', '\0\x01', 'P']));
  const message = buildHelloMessage({
    serverName: dice.pick(names),
    alpn: dice.pick([['h2'], ['\x0a\x0a', 'http/1.1'], []]),
    keyShareBytes: dice.pick([0, 32, 300]),
    versions: dice.pick([null, [0x0304], [0x0a0a, 0x0303]]),
  });
  return inRecords(message, [1 + dice.roll(dice.pick([3, 40, 2000]))]);
}

/** Changes, cuts out, doubles or inserts a few bytes. */
function mutate(bytes: Uint8Array, dice: Dice): Uint8Array {
  let mutated: Uint8Array = bytes.slice();
  for (let left = dice.roll(4); left > 0 && mutated.length > 0; left--) {
    const at = dice.roll(Math.min(mutated.length, dice.pick([16, 100, 1000])));
    const end = Math.min(at + dice.roll(8), mutated.length);
    const kind = dice.roll(4);
    if (kind === 0) mutated[at] = dice.pick([0, 1, 0x0a, 0x0d, 0x16, 0x20, 0x7f, 0xff, dice.roll(256)]);
    else if (kind === 1) mutated = concat(mutated.subarray(0, at), mutated.subarray(end));
    else if (kind === 2) mutated = concat(mutated.subarray(0, end), mutated.subarray(at));
    else mutated = concat(mutated.subarray(0, at), Uint8Array.of(dice.roll(256)), mutated.subarray(at));
  }
  return mutated;
}

interface Trial {
  bytes: Uint8Array;
  maxBytes: number;
  proxyHeader: 'required' | 'none';
}

interface Told {
  result: Omit<FirstBytes, 'bytes'> | FirstBytesFailure | null;
  /** What the client sent after the PROXY header, as far as it was read or is still to be read. */
  payload: Uint8Array;
  /** A verdict that only FIN brought. */
  ended: boolean;
}

/** Feeds a trial in chunks of the given sizes, then FIN, and collects what became of every byte. */
function run({ bytes, maxBytes, proxyHeader }: Trial, readBytes: number, dice: Dice): Told {
  const clock = new VirtualClock({ seed: 1 + dice.roll(1_000_000) });
  const [client, server] = memoryPair({
    clock,
    readBytes,
    segmentBytes: dice.pick([0, 1, 9, 200]),
    windowBytes: 1 << 20,
  });
  let result: FirstBytes | FirstBytesFailure | null = null;
  const reader = readFirstBytes(server, { proxyHeader, detect: true, maxBytes }, (told) => {
    assert.equal(result, null, 'two results');
    result = told;
  });
  client.write(bytes);
  client.end();
  clock.runUntilIdle();
  const told = result as FirstBytes | FirstBytesFailure | null;
  assert.notEqual(told, null, 'FIN always decides');
  assert.equal(server.listener, null);
  assert.equal(reader.bufferedBytes, 0);
  if (told?.outcome !== 'read') return { result: told, payload: new Uint8Array(0), ended: false };
  const { bytes: first, ...rest } = told;
  assert.equal(first.buffer.byteLength, first.length);
  let payload: Uint8Array = new Uint8Array(first);
  server.setListener({
    onData: (more) => (payload = concat(payload, more)),
    onEnd() {},
    onDrain() {},
    onFinish() {},
    onError() {},
    onClose() {},
  });
  server.resume();
  clock.runUntilIdle();
  return { result: rest, payload, ended: rest.ended };
}

function makeTrial(dice: Dice): Trial {
  const header = dice.roll(2) === 0 ? makeProxyHeader(dice) : new Uint8Array(0);
  const whole = concat(header, makePayload(dice), latin1(dice.pick(['', 'more'])));
  return {
    bytes: dice.roll(3) === 0 ? whole : mutate(whole, dice),
    maxBytes: dice.pick([64, 400, 65_536, 65_536]),
    proxyHeader:
      header.length > 0
        ? dice.pick(['required', 'required', 'none'])
        : dice.pick(['none', 'none', 'none', 'required']),
  };
}

/**
 * Sends valid and broken beginnings of connections to the reader, each cut in several ways.
 * Nothing throws, FIN always decides, chunking never changes the result, and the bytes after a
 * PROXY header come out as they went in.
 *
 * @param trials how many; trial n of a seed is always the same one
 */
export function fuzzFirstBytes(trials: number, firstSeed: number): Record<string, number> {
  const outcomes: Record<string, number> = {};
  for (let seed = firstSeed; seed < firstSeed + trials; seed++) {
    const dice = new Dice(seed);
    const trial = makeTrial(dice);
    try {
      const whole = run(trial, 65_536, dice);
      for (const readBytes of [1, 1 + dice.roll(30), 1 + dice.roll(600)]) {
        assert.deepEqual(run(trial, readBytes, dice), whole);
      }
      const { result } = whole;
      if (result?.outcome === 'read') {
        assert.deepEqual(whole.payload, trial.bytes.slice(result.proxyHeader?.length ?? 0));
      }
      const outcome = result?.outcome === 'read' ? result.kind : (result?.reason ?? 'none');
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    } catch (cause) {
      const hex = Buffer.from(trial.bytes).toString('hex');
      throw new Error(`seed ${seed}: maxBytes ${trial.maxBytes}, ${trial.proxyHeader}, ${hex}`, { cause });
    }
  }
  return outcomes;
}

// Run by hand: node test/fuzz/first-bytes.ts [trials] [first seed]
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [trials = 100_000, firstSeed = 1] = process.argv.slice(2).map(Number);
  console.log(fuzzFirstBytes(trials, firstSeed));
}
