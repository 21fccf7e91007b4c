import { createHmac, timingSafeEqual } from 'node:crypto';
import type { PeerAddress } from './transport.ts';

/**
 * How SmartProxy proves to a NetworkProxy in another process that a connection comes from it: a
 * TLV of its PROXY header, of the range that is free for applications (§2.2.7 of the
 * specification). Both processes have the key. Its value:
 *
 *     version 1 │ milliseconds since the epoch, 8 bytes │ HMAC-SHA256, 32 bytes │ listener, UTF-8
 *
 * The code covers the time, the listener, and what the header says beside it: id and addresses.
 * So none of it can be changed, and what was recorded cannot be sent again.
 */
export const bridgeTlvType = 0xe0;

/**
 * Instead of it: no connection is brought, but one asked about. The unique id is the outer
 * record's; what comes back is the inner one as JSON, and FIN.
 */
export const questionTlvType = 0xe1;

/** What a proof is good for: none serves in place of the other. */
export type BridgePurpose = 'bridge' | 'question';

const version = 1;
const codeAt = 9;
const codeBytes = 32;
const listenerAt = codeAt + codeBytes;

/** How old a proof may be, and how far the clocks of two processes may differ. */
const proofWindowMs = 10_000;

/** Proofs that are remembered for one window: some hundred bytes each. */
const maxRemembered = 262_144;

/** What is proven. */
export interface BridgeFacts {
  /** The outer record's. */
  readonly connectionId: string;
  readonly source: PeerAddress;
  readonly destination: PeerAddress;
  /** The outer listener's key: where the routes are that the connection may take. */
  readonly listener: string;
}

/** The TLV's value. `nowMs` is milliseconds since the epoch. */
export function signBridge(
  secret: Uint8Array,
  facts: BridgeFacts,
  nowMs: number,
  purpose: BridgePurpose = 'bridge',
): Uint8Array {
  const listener = Buffer.from(facts.listener);
  const value = Buffer.alloc(listenerAt + listener.length);
  value[0] = version;
  value.writeBigUInt64BE(BigInt(Math.floor(nowMs)), 1);
  value.set(listener, listenerAt);
  value.set(codeOf(secret, facts, value.subarray(1, codeAt), purpose), codeAt);
  return value;
}

function codeOf(secret: Uint8Array, facts: BridgeFacts, time: Uint8Array, purpose: BridgePurpose): Buffer {
  const { connectionId, source, destination, listener } = facts;
  const told = [connectionId, source.ip, source.port, destination.ip, destination.port, listener];
  return createHmac('sha256', secret).update(purpose).update(time).update(JSON.stringify(told)).digest();
}

/** Checks proofs, each of which counts once. */
export class BridgeProofs {
  readonly #secret: Uint8Array;
  /** Codes of this window and of the one before: older ones are refused by their time. */
  #present = new Set<string>();
  #former = new Set<string>();
  #since = 0;

  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** The outer listener's key, or null: it proves nothing. */
  check(
    value: Uint8Array,
    facts: Omit<BridgeFacts, 'listener'>,
    nowMs: number,
    purpose: BridgePurpose = 'bridge',
  ): string | null {
    if (value.length < listenerAt || value[0] !== version) return null;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
    const listener = bytes.toString('utf8', listenerAt);
    const code = bytes.subarray(codeAt, listenerAt);
    const expected = codeOf(this.#secret, { ...facts, listener }, bytes.subarray(1, codeAt), purpose);
    if (!timingSafeEqual(code, expected)) return null;
    const age = nowMs - Number(bytes.readBigUInt64BE(1));
    if (Math.abs(age) > proofWindowMs) return null;
    return this.#isFirst(code.toString('base64'), nowMs) ? listener : null;
  }

  /** A proof is good for two windows at most, from the earliest clock to the latest. */
  #isFirst(code: string, nowMs: number): boolean {
    if (Math.abs(nowMs - this.#since) >= 2 * proofWindowMs) {
      this.#former = this.#present;
      this.#present = new Set();
      this.#since = nowMs;
    }
    if (this.#present.has(code) || this.#former.has(code)) return false;
    if (this.#present.size >= maxRemembered) return false;
    this.#present.add(code);
    return true;
  }
}
