import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { SmartProxyError } from '../../src/base/errors.ts';
import { certificateOf } from '../../src/certificates/certificate.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import { contextOptions, SecureContexts } from '../../src/certificates/secure-contexts.ts';

const authority = await LocalAuthority.create({ clock: systemClock, name: 'Test authority' });
const make = async (name: string) => {
  const { cert, key } = await authority.issue([name]);
  return certificateOf(cert, key);
};
const plain = contextOptions(null);

test('a context is made once for a certificate and its options', async () => {
  const contexts = new SecureContexts();
  const [one, other] = [await make('a.test'), await make('b.test')];
  const context = contexts.get(one, plain);
  assert.ok(!(context instanceof SmartProxyError));
  assert.equal(contexts.get(one, contextOptions(null)), context);
  assert.notEqual(contexts.get(one, contextOptions(authority.certificate)), context);
  assert.notEqual(contexts.get(other, plain), context);
  assert.equal(contexts.size, 3);
});

test('the longest unused makes room', async () => {
  const contexts = new SecureContexts(2);
  const [a, b, c] = [await make('a.test'), await make('b.test'), await make('c.test')];
  const [ofA, ofB] = [contexts.get(a, plain), contexts.get(b, plain)];
  contexts.get(a, plain);
  contexts.get(c, plain);
  assert.equal(contexts.size, 2);
  assert.equal(contexts.get(a, plain), ofA);
  assert.notEqual(contexts.get(b, plain), ofB);
});

test('a certificate is forgotten with all of its contexts, others stay', async () => {
  const contexts = new SecureContexts();
  const [a, b] = [await make('a.test'), await make('b.test')];
  contexts.get(a, plain);
  contexts.get(a, contextOptions(authority.certificate));
  const ofB = contexts.get(b, plain);
  contexts.forget(a);
  assert.equal(contexts.size, 1);
  assert.equal(contexts.get(b, plain), ofB);
});

test('what OpenSSL refuses is a value, and is not kept', async () => {
  const contexts = new SecureContexts();
  const certificate = { ...(await make('a.test')), key: (await make('b.test')).key };
  const answer = contexts.get(certificate, plain);
  assert.ok(answer instanceof SmartProxyError);
  assert.equal(answer.code, 'certificate-unusable');
  assert.match(answer.message, /key values mismatch/i);
  assert.equal(contexts.size, 0);
});
