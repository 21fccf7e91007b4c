/** What a client signed (RFC 8555 §6.2), checked by jose. */
import { calculateJwkThumbprint, flattenedVerify, importJWK, type JWK } from 'jose';

export interface SignedRequest {
  readonly nonce: string;
  /** Null where the key itself was sent. */
  readonly kid: string | null;
  readonly key: JWK;
  readonly thumbprint: string;
  /** Undefined: POST-as-GET. */
  readonly payload: Record<string, unknown> | undefined;
}

/** Throws where the signature is wrong, or for another address. */
export async function readSigned(
  body: string,
  url: string,
  keyOf: (kid: string) => JWK | undefined,
): Promise<SignedRequest> {
  const jws = JSON.parse(body);
  const header = JSON.parse(Buffer.from(jws.protected, 'base64url').toString());
  const key: JWK | undefined = header.jwk ?? keyOf(header.kid);
  if (key === undefined) throw new Error('accountDoesNotExist');
  const { payload, protectedHeader } = await flattenedVerify(jws, await importJWK(key, 'ES256'));
  if (protectedHeader?.url !== url) throw new Error(`signed for ${protectedHeader?.url}, sent to ${url}`);
  const text = Buffer.from(payload).toString();
  return {
    nonce: header.nonce,
    kid: header.kid ?? null,
    key,
    thumbprint: await calculateJwkThumbprint(key, 'sha256'),
    payload: text === '' ? undefined : JSON.parse(text),
  };
}
