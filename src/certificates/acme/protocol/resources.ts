/** What an authority answers, and the checks of it (RFC 8555 §7.1, RFC 9773 §4). Fields that nobody needs are ignored. */
import * as z from 'zod';
import { AcmeError } from './acme-error.ts';

/** RFC 8555 §6.1: everything is HTTPS. */
const url = z.string().max(2048).startsWith('https://');

const problemSchema = z.looseObject({
  type: z.string().optional().catch(undefined),
  detail: z.string().optional().catch(undefined),
  subproblems: z
    .array(
      z.looseObject({
        type: z.string().optional().catch(undefined),
        detail: z.string().optional().catch(undefined),
        identifier: z.looseObject({ value: z.string() }).optional().catch(undefined),
      }),
    )
    .optional()
    .catch(undefined),
});

const directorySchema = z.looseObject({
  newNonce: url,
  newAccount: url,
  newOrder: url,
  renewalInfo: url.optional(),
  meta: z
    .looseObject({
      externalAccountRequired: z.boolean().optional(),
      profiles: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
});

const identifierSchema = z.looseObject({ type: z.string(), value: z.string() });

const orderSchema = z.looseObject({
  status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
  identifiers: z.array(identifierSchema).max(1000),
  authorizations: z.array(url).max(1000),
  finalize: url,
  certificate: url.optional(),
  error: problemSchema.optional(),
  expires: z.string().optional(),
});

/** Of an account, only where its orders are listed, which is optional in practice. */
const accountSchema = z.looseObject({ orders: url.optional() });

const orderListSchema = z.looseObject({ orders: z.array(url).max(10_000) });

const challengeSchema = z.looseObject({
  type: z.string(),
  url,
  status: z.enum(['pending', 'processing', 'valid', 'invalid']),
  // RFC 8555 §8.3: base64url, so that it can be a part of a path.
  token: z
    .string()
    .regex(/^[\w-]{16,512}$/)
    .optional(),
  error: problemSchema.optional(),
});

const authorizationSchema = z.looseObject({
  status: z.enum(['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked']),
  identifier: identifierSchema,
  challenges: z.array(challengeSchema).max(100),
  wildcard: z.boolean().optional(),
});

const renewalInfoSchema = z.looseObject({
  suggestedWindow: z.looseObject({ start: z.string(), end: z.string() }),
  explanationURL: z.string().max(2048).optional(),
});

export type Problem = z.output<typeof problemSchema>;
export type Directory = z.output<typeof directorySchema>;
export type Order = z.output<typeof orderSchema>;
export type Challenge = z.output<typeof challengeSchema>;
export type Authorization = z.output<typeof authorizationSchema>;
export type RenewalInfo = z.output<typeof renewalInfoSchema>;

const schemas = {
  directory: directorySchema,
  account: accountSchema,
  order: orderSchema,
  'list of orders': orderListSchema,
  challenge: challengeSchema,
  authorization: authorizationSchema,
  'renewal information': renewalInfoSchema,
} as const;

type Schemas = typeof schemas;

/** Reads an answer. Throws `acme-invalid-answer`, naming the authority and what is wrong. */
export function readResource<Kind extends keyof Schemas>(
  kind: Kind,
  text: string,
  from: string,
): z.output<Schemas[Kind]> {
  const result = schemas[kind].safeParse(parsed(text));
  if (result.success) return result.data as z.output<Schemas[Kind]>;
  const [issue] = result.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? 'it' : issue.path.join('.');
  throw invalidAnswer(from, `${where} in its ${kind}: ${issue?.message ?? 'cannot be read'}`);
}

/** A problem document (RFC 7807); empty where there is none. */
export function readProblem(text: string): Problem {
  const result = problemSchema.safeParse(parsed(text));
  return result.success ? result.data : {};
}

/** `urn:ietf:params:acme:error:badNonce` is `badNonce`. */
export function problemType({ type }: Problem): string | null {
  return /^urn:ietf:params:acme:error:(\w+)$/.exec(type ?? '')?.[1] ?? null;
}

/** One line for people, bounded: it is an authority's text. */
export function describeProblem(problem: Problem): string {
  const parts = [[problem.detail ?? problemType(problem) ?? problem.type ?? 'no reason was given']];
  for (const { identifier, detail } of problem.subproblems?.slice(0, 5) ?? []) {
    if (detail !== undefined) parts.push([identifier?.value ?? '', detail].filter((part) => part !== ''));
  }
  const text = parts.map((part) => part.join(': ')).join('; ');
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').slice(0, 500);
}

export function invalidAnswer(from: string, what: string): AcmeError {
  const host = URL.canParse(from) ? new URL(from).host : from;
  return new AcmeError('acme-invalid-answer', `${host} does not answer as RFC 8555 says: ${what}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
