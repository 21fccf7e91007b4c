// Writes docs/configuration.md: the text of configuration-docs.template.md with tables made from
// the schema. With --check it writes nothing and fails where the file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import type * as z from 'zod';
import { optionsSchema } from '../src/config/schema.ts';

interface Meta {
  id?: string;
  description?: string;
  unit?: string;
  default?: unknown;
  defaultText?: string;
  typeText?: string;
}

interface Section {
  title: string;
  description: string;
  schema: z.ZodType;
}

/** Objects without an id that have a table of their own all the same. */
const titles: Record<string, string> = { match: 'Match' };

function definition(schema: z.ZodType): { type: string; [key: string]: unknown } {
  return schema._zod.def as never;
}

function unwrap(schema: z.ZodType): { schema: z.ZodType; optional: boolean } {
  const def = definition(schema);
  return def.type === 'optional'
    ? { schema: def.innerType as z.ZodType, optional: true }
    : { schema, optional: false };
}

function metaOf(schema: z.ZodType): Meta {
  return (schema.meta() ?? {}) as Meta;
}

/** A schema that was described anew keeps the name of the one that it was made from. */
function named(schema: z.ZodType): z.ZodType | undefined {
  const parent = schema._zod.parent as z.ZodType | undefined;
  if (metaOf(schema).id !== undefined) return schema;
  return parent === undefined ? undefined : named(parent);
}

function idOf(schema: z.ZodType): string | undefined {
  const origin = named(schema);
  return origin === undefined ? undefined : metaOf(origin).id;
}

function link(title: string): string {
  return `[${title}](#${title.toLowerCase()})`;
}

function typeText(schema: z.ZodType, title?: string): string {
  const def = definition(schema);
  const id = title ?? idOf(schema);
  const own = metaOf(schema).typeText;
  if (own !== undefined) return own;
  switch (def.type) {
    case 'optional':
      return typeText(def.innerType as z.ZodType, title);
    case 'enum':
      return Object.values(def.entries as Record<string, string>)
        .map((value) => `\`'${value}'\``)
        .join(', ');
    case 'literal':
      return (def.values as unknown[])
        .map((value) => `\`${typeof value === 'string' ? `'${value}'` : value}\``)
        .join(', ');
    case 'union':
      return [...new Set((def.options as z.ZodType[]).map((option) => typeText(option)))].join(', or ');
    case 'array':
      return `list of ${inParentheses(typeText(def.element as z.ZodType))}`;
    case 'record':
      return 'texts by name';
    case 'object':
      return id === undefined ? `{ ${Object.keys(def.shape as object).join(', ')} }` : link(id);
    case 'custom':
      return 'function';
    case 'string':
      return 'text';
    default:
      return def.type;
  }
}

/** Where a list has alternatives, what belongs to the list. */
function inParentheses(text: string): string {
  return text.includes(', or ') ? `(${text})` : text;
}

function defaultText({ default: value, defaultText: text }: Meta, optional: boolean): string {
  if (text !== undefined) return text;
  if (value !== undefined) return `\`${typeof value === 'string' ? `'${value}'` : group(value)}\``;
  return optional ? '' : '**required**';
}

/** 65536 → 65 536, with a space that does not break. */
function group(value: unknown): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, '\u00A0');
}

function rows(schema: z.ZodType, prefix: string, found: (section: Section) => void): string[] {
  const shape = definition(schema).shape as Record<string, z.ZodType>;
  return Object.entries(shape).flatMap(([name, field]) => {
    const { schema: inner, optional } = unwrap(field);
    const meta = metaOf(inner);
    const path = `${prefix}${name}`;
    const title = definition(inner).type === 'object' ? (idOf(inner) ?? titles[name]) : undefined;
    const cells = [
      `\`${path}\``,
      typeText(inner, title),
      defaultText(meta, optional),
      meta.unit ?? '',
      meta.description ?? '',
    ];
    const row = `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
    for (const section of sectionsIn(inner, title)) found(section);
    const flat = nestedObject(inner);
    return [row, ...(flat !== undefined && title === undefined ? rows(flat, `${path}.`, found) : [])];
  });
}

/** An object that has no table of its own, alone or as an alternative. */
function nestedObject(schema: z.ZodType): z.ZodType | undefined {
  const def = definition(schema);
  if (def.type === 'object') return idOf(schema) === undefined ? schema : undefined;
  if (def.type !== 'union') return undefined;
  const objects = (def.options as z.ZodType[]).filter((option) => definition(option).type === 'object');
  return objects.length === 1 && idOf(objects[0]!) === undefined && definition(objects[0]!).type === 'object'
    ? objects[0]
    : undefined;
}

/** The objects with a table of their own that a field leads to. */
function sectionsIn(schema: z.ZodType, title?: string): Section[] {
  const def = definition(schema);
  if (def.type === 'array') return sectionsIn(def.element as z.ZodType);
  if (def.type === 'union') return (def.options as z.ZodType[]).flatMap((option) => sectionsIn(option));
  const own = title ?? idOf(schema);
  if (def.type !== 'object' || own === undefined) return [];
  return [{ title: own, description: metaOf(named(schema) ?? schema).description ?? '', schema }];
}

function tables(): string {
  const queue: Section[] = [
    { title: 'SmartProxyOptions', description: 'The whole configuration.', schema: optionsSchema },
  ];
  const known = new Set(['SmartProxyOptions']);
  const parts: string[] = [];
  for (let section = queue.shift(); section !== undefined; section = queue.shift()) {
    const found: Section[] = [];
    const lines = rows(section.schema, '', (inner) => {
      if (known.has(inner.title)) return;
      known.add(inner.title);
      found.push(inner);
    });
    queue.push(...found);
    const head = '| field | type | default | unit | meaning |\n|---|---|---|---|---|';
    parts.push(`### ${section.title}\n\n${section.description}\n\n${head}\n${lines.join('\n')}`);
  }
  return parts.join('\n\n');
}

const template = readFileSync(new URL('./configuration-docs.template.md', import.meta.url), 'utf8');
const file = new URL('../docs/configuration.md', import.meta.url);
const wanted = template.replace('<!-- tables -->', () => tables());

function current(): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

if (!process.argv.includes('--check')) writeFileSync(file, wanted);
else if (current() !== wanted) {
  console.error('docs/configuration.md is stale: run node scripts/generate-configuration-docs.ts');
  process.exitCode = 1;
}
