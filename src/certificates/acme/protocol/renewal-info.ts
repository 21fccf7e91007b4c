/** ACME renewal information (RFC 9773): when an authority wants a certificate to be renewed. */
import { X509Certificate } from 'node:crypto';
import type { AuthorityConnection } from './authority-connection.ts';
import { invalidAnswer, readResource } from './resources.ts';
import { errorOf } from './signed-requests.ts';

/** When an authority suggests to renew. Milliseconds since the epoch. */
export interface RenewalWindow {
  readonly startMs: number;
  readonly endMs: number;
  /** A page for people that tells why; null: there is none. */
  readonly explanation: string | null;
}

export interface RenewalAnswer {
  readonly window: RenewalWindow;
  /** When to ask again, in ms from now; null: the authority did not say. */
  readonly retryAfterMs: number | null;
}

/** Asks for the window of a certificate. Needs no account. Rejects with AcmeError. */
export async function fetchRenewalInfo(
  connection: AuthorityConnection,
  renewalInfo: string,
  certificateId: string,
  signal: AbortSignal,
): Promise<RenewalAnswer> {
  const url = `${renewalInfo.replace(/\/$/, '')}/${certificateId}`;
  const answer = await connection.request({ method: 'GET', url }, signal);
  const retryAfterMs = connection.retryAfter(answer);
  if (answer.status !== 200) throw errorOf(answer, url, retryAfterMs);
  const { suggestedWindow, explanationURL } = readResource('renewal information', answer.text, url);
  const [startMs, endMs] = [Date.parse(suggestedWindow.start), Date.parse(suggestedWindow.end)];
  // RFC 9773 §4.2: a window that ends before it begins is to be treated as none.
  if (!(endMs > startMs)) throw invalidAnswer(url, 'its window ends before it begins');
  return { window: { startMs, endMs, explanation: explanationURL ?? null }, retryAfterMs };
}

/**
 * How RFC 9773 §4.1 calls a certificate: key identifier of its authority, and serial number. Null
 * where it has no such key identifier.
 */
export async function renewalId(chain: string): Promise<string | null> {
  const { AuthorityKeyIdentifierExtension, X509Certificate: Parsed } = await import('../../x509.ts');
  const keyId = new Parsed(firstOf(chain)).getExtension(AuthorityKeyIdentifierExtension)?.keyId;
  if (keyId === undefined) return null;
  return `${fromHex(keyId)}.${fromHex(serialContent(new X509Certificate(chain).serialNumber))}`;
}

/** The INTEGER's content in DER: signed, so a leading bit of 1 needs a zero before it. */
function serialContent(serial: string): string {
  const whole = serial.length % 2 === 0 ? serial : `0${serial}`;
  return Number.parseInt(whole.slice(0, 2), 16) >= 0x80 ? `00${whole}` : whole;
}

function fromHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64url');
}

function firstOf(chain: string): string {
  return /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(chain)?.[0] ?? chain;
}
