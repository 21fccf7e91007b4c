import * as z from 'zod';

/**
 * Building blocks of the schema. The `error` of each is what to write, as a noun phrase ("a whole
 * number of milliseconds"): validation makes the rest of the sentence. Metadata: `description`,
 * `unit`, `default` (a value), `defaultText` (where the default depends on the machine).
 */

/** An object whose unknown keys are errors. The message of that error lists the known keys, for suggestions. */
export function record<Shape extends z.core.$ZodLooseShape>(expected: string, shape: Shape) {
  const known = Object.keys(shape).join(' ');
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? known : expected) });
}

/** A string, of which `accepts` may ask more. */
export function text(expected: string, accepts: (value: string) => boolean = (value) => value !== '') {
  return z.string({ error: expected }).refine(accepts, { error: expected });
}

/** A string of which an empty one is fine. */
export function anyText(expected: string) {
  return z.string({ error: expected });
}

/** An integer within bounds, both included. */
export function wholeNumber(expected: string, least: number, most: number = Number.MAX_SAFE_INTEGER) {
  return z.int({ error: expected }).min(least, { error: expected }).max(most, { error: expected });
}

/** One of some texts. */
export function choice<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: `one of ${values.map((value) => `'${value}'`).join(', ')}` });
}

export function flag() {
  return z.boolean({ error: 'true or false' });
}

/** A list with at least one entry. */
export function list<Entry extends z.ZodType>(expected: string, entry: Entry) {
  return z.array(entry, { error: expected }).min(1, { error: expected });
}

/** One entry, or a list of them. */
export function oneOrMore<Entry extends z.ZodType>(expected: string, entry: Entry) {
  return z.union([entry, list(`${expected}, or a list of them`, entry)], {
    error: `${expected}, or a list of them`,
  });
}

/** Values by name, as for headers. `name` may ask more of the names. */
export function table<Value extends z.ZodType>(
  expected: string,
  value: Value,
  name: z.ZodType<string, string> = z.string(),
) {
  return z.record(name, value, { error: expected });
}

/** A function, which only a TypeScript or JavaScript configuration can have. */
export function callback<Signature>(expected: string) {
  return z.custom<Signature>((value) => typeof value === 'function', {
    error: expected,
    params: { kind: 'function' },
  });
}
