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
      const { defaultText, unit: _unit, type: _type, ...rest } = schema as Record<string, unknown>;
      if (typeof defaultText === 'string')
        schema.description = `${schema.description ?? ''} Default: ${defaultText}.`;
      delete schema.defaultText;
      delete schema.unit;
      if (rest.anyOf !== undefined) dropFunctions(schema);
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
