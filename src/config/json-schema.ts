import * as z from 'zod';
import { optionsSchema } from './schema.ts';

/** What only programs can have: in JSON nothing is a function. */
const impossible = { not: {} };

/**
 * The JSON Schema (draft 7, which editors know best) of a configuration file in JSON or YAML, with
 * descriptions and defaults.
 */
export function jsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(optionsSchema, {
    target: 'draft-07',
    io: 'input',
    unrepresentable: () => ({ ...impossible }),
    override: ({ jsonSchema: schema }) => {
      const { defaultText } = schema as { defaultText?: string };
      if (defaultText !== undefined)
        schema.description = `${schema.description ?? ''} Default: ${defaultText}.`;
      for (const key of ['defaultText', 'unit', 'typeText']) delete schema[key];
      if (schema.anyOf !== undefined) dropFunctions(schema);
    },
  }) as Record<string, unknown>;
}

function dropFunctions(schema: { anyOf?: unknown[] }): void {
  const possible = schema.anyOf!.filter((option) => !isImpossible(option));
  if (possible.length > 0) schema.anyOf = possible;
}

function isImpossible(option: unknown): boolean {
  const not = (option as { not?: object }).not;
  return not !== undefined && Object.keys(not).length === 0;
}
