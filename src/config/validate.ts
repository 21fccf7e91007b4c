import type * as z from 'zod';
import { nearest } from './nearest.ts';
import { formatPath, type Problem } from './problems.ts';

type Issue = z.core.$ZodIssue;

/** Everything about the shape of `input` that `schema` does not allow, in words of the configuration. */
export function shapeProblems(
  schema: z.ZodType,
  input: unknown,
  path: readonly PropertyKey[] = [],
): Problem[] {
  const result = schema.safeParse(input, { reportInput: true });
  return result.success ? [] : result.error.issues.flatMap((issue) => describe(issue, path));
}

function describe(issue: Issue, prefix: readonly PropertyKey[]): Problem[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey(path, key, issue.message));
  if (issue.code === 'invalid_key') {
    return [wrongValue(path, path.at(-1), issue.issues[0]?.message ?? 'another name', [])];
  }
  if (issue.code === 'invalid_union') {
    if (issue.errors.length === 0) return [unknownType(issue, path)];
    const branch = meantBranch(issue.errors);
    if (branch !== undefined) return branch.flatMap((inner) => describe(inner, path));
  }
  return [wrongValue(path, issue.input, issue.message, issue.code === 'invalid_value' ? issue.values : [])];
}

/** `known` is the message that `record` gives: the keys, separated by spaces. */
function unknownKey(path: readonly PropertyKey[], key: string, known: string): Problem {
  const keys = known.split(' ');
  const near = nearest(key, keys);
  return {
    path: formatPath([...path, key]),
    message: 'unknown key',
    instead: near === undefined ? `known here: ${keys.join(', ')}` : `did you mean '${near}'?`,
  };
}

/** The `type` of a discriminated union is missing or none of those that exist. */
function unknownType(issue: z.core.$ZodIssueInvalidUnion, path: readonly PropertyKey[]): Problem {
  const options = ('options' in issue ? issue.options : []) as readonly string[];
  const expected = `one of ${options.map((option) => `'${option}'`).join(', ')}`;
  const given = (issue.input as Record<string, unknown> | null | undefined)?.[String(path.at(-1))];
  return wrongValue(path, given, expected, options);
}

/**
 * The alternative that the author had in mind: one whose kind (text, list, object) is that of the
 * value, so that it failed inside or on its content; among those the one with the fewest problems.
 */
function meantBranch(branches: readonly Issue[][]): Issue[] | undefined {
  return branches
    .filter((issues) => !issues.some(isWrongKind))
    .sort((one, other) => one.length - other.length)
    .at(0);
}

function isWrongKind(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'custom') return issue.params?.kind === 'function';
  if (issue.code === 'invalid_union') return issue.errors.every((branch) => branch.some(isWrongKind));
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function wrongValue(
  path: readonly PropertyKey[],
  input: unknown,
  expected: string,
  choices: readonly unknown[],
): Problem {
  const near =
    typeof input === 'string'
      ? nearest(
          input,
          choices.filter((choice) => typeof choice === 'string'),
        )
      : undefined;
  const exact = converted(input, expected);
  const instead = near !== undefined ? `did you mean '${near}'? ${expected}` : `write ${expected}`;
  return {
    path: formatPath(path),
    message: input === undefined ? 'is missing' : `${show(input, path.at(-1))} is not allowed here`,
    instead: exact === undefined ? instead : `${instead}: ${exact}`,
  };
}

const secretKeys: readonly PropertyKey[] = ['token', 'hmacKey', 'key', 'cert'];

/** A short text for a value: what the author will recognise, and no secret. */
function show(value: unknown, key: PropertyKey | undefined): string {
  if (key !== undefined && secretKeys.includes(key)) return 'this value';
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

const factors: Record<string, Record<string, number>> = {
  milliseconds: { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 },
  bytes: {
    b: 1,
    k: 1024,
    kb: 1000,
    kib: 1024,
    m: 1024 ** 2,
    mb: 1e6,
    mib: 1024 ** 2,
    g: 1024 ** 3,
    gb: 1e9,
    gib: 1024 ** 3,
  },
};

/** The number that someone meant who wrote "30s", "64KiB" or "8080" where a whole number belongs. */
function converted(input: unknown, expected: string): number | undefined {
  const match = typeof input === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(input) : null;
  if (match === null) return undefined;
  const [, digits, suffix] = match;
  if (suffix === '') return /number|port|status/.test(expected) ? Number(digits) : undefined;
  const unit = Object.keys(factors).find((name) => expected.includes(name));
  const factor = unit === undefined ? undefined : factors[unit]![suffix!.toLowerCase()];
  return factor === undefined ? undefined : Math.round(Number(digits) * factor);
}

/**
 * A copy of `value` without the keys that `error` calls unknown, so that the rest of it can be
 * looked at. Nothing is copied that need not be.
 */
export function withoutUnknownKeys(value: unknown, error: z.ZodError): unknown {
  let rest = value;
  for (const issue of error.issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    for (const key of issue.keys) rest = without(rest, [...issue.path, key]);
  }
  return rest;
}

function without(value: unknown, [key, ...inner]: readonly PropertyKey[]): unknown {
  if (key === undefined || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value))
    return value.map((entry, index) => (index === key ? without(entry, inner) : entry));
  const copy: Record<PropertyKey, unknown> = { ...value };
  if (inner.length === 0) delete copy[key];
  else copy[key] = without(copy[key], inner);
  return copy;
}
