/** What is kept beside certificates and keys, as JSON. What cannot be read counts as absent: it only saves work. */
import * as z from 'zod';

const time = z.iso.datetime();

const certificateMetaSchema = z.looseObject({
  names: z.array(z.string()),
  /** The directory of the authority; null: it was imported. */
  authority: z.string().nullable(),
  profile: z.string().nullable(),
  /** When it came here. */
  issuedAt: time,
});

/** When a certificate is renewed, and what the last attempts came to. */
const renewalSchema = z.looseObject({
  /** When this was written. */
  at: time,
  /** The certificate that this is about, by the name of its folder; null: there is none yet. */
  version: z.string().nullable(),
  renewAt: time.nullable(),
  /** What the authority suggested (RFC 9773). */
  suggestion: z.looseObject({ start: time, end: time, explanation: z.string().nullable() }).nullable(),
  /** When the authority is asked again for its suggestion. */
  askAgainAt: time.nullable(),
  /** Attempts since the last success. */
  failures: z.number().int().min(0),
  nextAttemptAt: time.nullable(),
  /** Which of the ways to prove the names is tried first. */
  way: z.number().int().min(0),
  lastError: z.looseObject({ code: z.string(), message: z.string(), at: time }).nullable(),
  /** Differs where the configuration is not the one that the attempts failed under. */
  settings: z.string(),
});

const pendingOrderSchema = z.looseObject({
  directory: z.string(),
  /** Empty: it may not have been made. */
  url: z.string(),
  names: z.array(z.string()),
  startedAt: time,
  /** PEM: of the certificate that the order will come to. In a file of its own. */
  key: z.string(),
  /** The proofs that are in their places now: any process with this store may answer with them. */
  proofs: z.array(
    z.object({ name: z.string(), type: z.string(), token: z.string(), keyAuthorization: z.string() }),
  ),
});

const accountSchema = z.looseObject({
  directory: z.string(),
  url: z.string(),
  contact: z.array(z.string()),
  createdAt: time,
  /** PEM. In a file of its own. */
  key: z.string(),
});

export type CertificateMeta = z.output<typeof certificateMetaSchema>;
export type Renewal = z.output<typeof renewalSchema>;
export type PendingOrder = z.output<typeof pendingOrderSchema>;
export type StoredAccount = z.output<typeof accountSchema>;

const schemas = {
  meta: certificateMetaSchema,
  renewal: renewalSchema,
  order: pendingOrderSchema,
  account: accountSchema,
} as const;

/** Null where the text is not such a document. */
export function readDocument<Kind extends keyof typeof schemas>(
  kind: Kind,
  text: string,
  more: Record<string, string> = {},
): z.output<(typeof schemas)[Kind]> | null {
  try {
    const result = schemas[kind].safeParse({ ...JSON.parse(text), ...more });
    return result.success ? (result.data as z.output<(typeof schemas)[Kind]>) : null;
  } catch {
    return null;
  }
}

export function documentText(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
