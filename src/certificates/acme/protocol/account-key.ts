/** The key of an account: what every request to its authority is signed with. Importing this file loads jose. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPair,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, exportJWK, FlattenedSign, type JWK } from 'jose';

const generate = promisify(generateKeyPair);

/** What goes into the protected header beside the algorithm (RFC 8555 §6.2). */
export interface SigningTerms {
  readonly url: string;
  readonly nonce: string;
  /** The account; null: the key itself is sent, as for a new account. */
  readonly kid: string | null;
}

/** External account binding: what links an account to a customer (RFC 8555 §7.3.4). */
export interface AccountBinding {
  readonly keyId: string;
  /** base64url. */
  readonly hmacKey: string;
}

export class AccountKey {
  /** PEM, PKCS #8. */
  readonly pem: string;
  /** SHA-256 of the public key (RFC 7638), which every proof of a name ends with. */
  readonly thumbprint: string;
  readonly #key: KeyObject;
  readonly #publicKey: JWK;

  private constructor(key: KeyObject, publicKey: JWK, thumbprint: string) {
    this.pem = key.export({ type: 'pkcs8', format: 'pem' }) as string;
    this.#key = key;
    this.#publicKey = publicKey;
    this.thumbprint = thumbprint;
  }

  /** A new one: ECDSA P-256. */
  static async generate(): Promise<AccountKey> {
    const { privateKey } = await generate('ec', { namedCurve: 'P-256' });
    return AccountKey.of(privateKey);
  }

  /** Throws where the text is no key of this kind. */
  static async fromPem(pem: string): Promise<AccountKey> {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('it is no ECDSA P-256 key');
    return AccountKey.of(key);
  }

  private static async of(key: KeyObject): Promise<AccountKey> {
    const publicKey = await exportJWK(createPublicKey(key.export({ type: 'pkcs8', format: 'pem' })));
    return new AccountKey(key, publicKey, await calculateJwkThumbprint(publicKey, 'sha256'));
  }

  /** A request's body, signed. An empty payload is POST-as-GET (RFC 8555 §6.3). */
  async sign(payload: string, { url, nonce, kid }: SigningTerms): Promise<string> {
    const identity = kid === null ? { jwk: this.#publicKey } : { kid };
    const signed = await new FlattenedSign(Buffer.from(payload))
      .setProtectedHeader({ alg: 'ES256', nonce, url, ...identity })
      .sign(this.#key);
    return JSON.stringify(signed);
  }

  /** The binding of this key to a customer: our public key, signed with the customer's. */
  async bind({ keyId, hmacKey }: AccountBinding, url: string): Promise<object> {
    const secret = createSecretKey(Buffer.from(hmacKey, 'base64url'));
    return new FlattenedSign(Buffer.from(JSON.stringify(this.#publicKey)))
      .setProtectedHeader({ alg: 'HS256', kid: keyId, url })
      .sign(secret);
  }

  /** What proves that a token was answered by the account (RFC 8555 §8.1). */
  keyAuthorization(token: string): string {
    return `${token}.${this.thumbprint}`;
  }
}

/** What a TXT record of DNS-01 says (RFC 8555 §8.4). */
export function dnsValue(keyAuthorization: string): string {
  return createHash('sha256').update(keyAuthorization).digest('base64url');
}
