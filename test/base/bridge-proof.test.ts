import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BridgeFacts, BridgeProofs, signBridge } from '../../src/base/bridge-proof.ts';

const secret = Buffer.from('0123456789abcdef0123456789abcdef');
const now = 1_800_000_000_000;

const facts: BridgeFacts = {
  connectionId: 'abc-1',
  source: { ip: '203.0.113.9', port: 4242 },
  destination: { ip: '192.0.2.1', port: 443 },
  listener: '*:443',
};

test('a proof tells the listener, once', () => {
  const proofs = new BridgeProofs(secret);
  const value = signBridge(secret, facts, now);
  assert.equal(proofs.check(value, facts, now), '*:443');
  assert.equal(proofs.check(value, facts, now), null);
  assert.equal(proofs.check(value, facts, now + 1), null);
});

// P7
test('with one byte changed, or any fact, it proves nothing', () => {
  const value = signBridge(secret, facts, now);
  fc.assert(
    fc.property(fc.nat(value.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Uint8Array.from(value);
      changed[at]! ^= change;
      assert.equal(new BridgeProofs(secret).check(changed, facts, now), null);
    }),
  );
  const others: Partial<BridgeFacts>[] = [
    { connectionId: 'abc-2' },
    { source: { ip: '203.0.113.9', port: 4243 } },
    { source: { ip: '203.0.113.8', port: 4242 } },
    { destination: { ip: '192.0.2.1', port: 444 } },
    { destination: { ip: '192.0.2.2', port: 443 } },
  ];
  for (const other of others) {
    assert.equal(new BridgeProofs(secret).check(value, { ...facts, ...other }, now), null);
  }
  assert.equal(new BridgeProofs(Buffer.alloc(32)).check(value, facts, now), null);
});

test('it is good for ten seconds either way, and remembered for as long as it is good', () => {
  for (const skewMs of [-10_000, 0, 10_000]) {
    const proofs = new BridgeProofs(secret);
    const value = signBridge(secret, facts, now);
    assert.equal(proofs.check(value, facts, now + skewMs), '*:443', String(skewMs));
    for (let later = now + skewMs; later <= now + 10_000; later += 500) {
      const another = signBridge(secret, { ...facts, connectionId: `another-${later}` }, later);
      assert.ok(proofs.check(another, { ...facts, connectionId: `another-${later}` }, later));
      assert.equal(proofs.check(value, facts, later), null, `${later - now} ms later`);
    }
  }
  for (const skewMs of [-10_001, 10_001]) {
    assert.equal(new BridgeProofs(secret).check(signBridge(secret, facts, now), facts, now + skewMs), null);
  }
});

test('whatever is too short for a proof is none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (value) => {
      assert.equal(new BridgeProofs(secret).check(value, facts, now), null);
    }),
  );
});
