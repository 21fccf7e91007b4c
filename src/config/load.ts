import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { errorMessage } from '../base/errors.ts';
import { expandVariables } from './expand-variables.ts';
import { parseJson, parseYaml } from './parse-text.ts';
import { ConfigurationError } from './problems.ts';
import { optionsSchema } from './schema.ts';
import { shapeProblems } from './validate.ts';

/** What a file says, before it is checked. */
export interface LoadedConfiguration {
  /** As it was given, or as it was found. */
  readonly file: string;
  readonly input: unknown;
  /** Whether the file is a program: what it imports is not read again by a reload. */
  readonly program: boolean;
}

const programs = ['.ts', '.mts', '.js', '.mjs'];

/** The names that are looked for, first come first served. */
const configurationNames: readonly string[] = [...programs, '.json', '.yaml', '.yml'].map(
  (extension) => `smartproxy.config${extension}`,
);

/** The configuration in a folder, or undefined where there is none. */
export function findConfiguration(folder: string): string | undefined {
  const entries = new Set(readdirSync(folder));
  const name = configurationNames.find((candidate) => entries.has(candidate));
  return name === undefined ? undefined : join(folder, name);
}

/**
 * Reads a configuration file. A program's default export is taken, called first if it is a
 * function; it is imported again only if its text has changed.
 * @param variables what `${NAME}` in strings of JSON and YAML stands for
 * @throws ConfigurationError where it cannot be read, parsed or run
 */
export async function loadConfiguration(
  file: string,
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Promise<LoadedConfiguration> {
  const extension = extname(file).toLowerCase();
  const text = await readText(file);
  if (programs.includes(extension)) return { file, input: await runProgram(file, text), program: true };
  if (extension === '.json')
    return { file, input: expandFile(file, parseJson(text, file), variables), program: false };
  if (extension === '.yaml' || extension === '.yml') {
    return { file, input: expandFile(file, parseYaml(text, file), variables), program: false };
  }
  throw failure(file, `cannot be read: '${extension}' is no kind of file that SmartProxy knows`, {
    instead: 'write .ts, .mts, .js, .mjs, .json, .yaml or .yml',
  });
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw failure(file, missing ? 'there is no such file' : `cannot be read: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

/** Node keeps modules by URL, so the URL says which text it was. */
async function runProgram(file: string, text: string): Promise<unknown> {
  const url = pathToFileURL(resolve(file));
  url.searchParams.set('version', createHash('sha256').update(text).digest('hex').slice(0, 16));
  let exported: unknown;
  try {
    exported = ((await import(url.href)) as { default?: unknown }).default;
    if (typeof exported === 'function') exported = await exported();
  } catch (error) {
    const instead = placeIn(file, error);
    throw failure(file, `failed while it ran: ${errorMessage(error)}`, { instead, cause: error });
  }
  if (exported === undefined) {
    throw failure(file, 'has no default export', { instead: 'write export default defineConfig({ ... })' });
  }
  return exported;
}

/** Where in the program it failed. Of JavaScript that cannot be parsed an error does not say it. */
function placeIn(file: string, error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const after = stack.split(resolve(file), 2)[1] ?? '';
  const line = /^(?:\?version=[0-9a-f]+)?:(\d+)/.exec(after)?.[1];
  return line === undefined ? `node --check ${file} may show where` : `look at line ${line}`;
}

function failure(
  file: string,
  message: string,
  more: { instead?: string; cause?: unknown },
): ConfigurationError {
  const problem = { path: '', message, ...(more.instead !== undefined && { instead: more.instead }) };
  return new ConfigurationError([problem], { file, cause: more.cause });
}

function expandFile(
  file: string,
  parsed: unknown,
  variables: Readonly<Record<string, string | undefined>>,
): unknown {
  const { input, problems, whole } = expandVariables(parsed, variables);
  if (problems.length > 0) throw new ConfigurationError(problems, { file });
  return whole.reduce<unknown>(asNumberWhereOneIsMeant, input);
}

/** `port: ${PORT}` is text after replacement: it becomes a number where only a number is allowed. */
function asNumberWhereOneIsMeant(input: unknown, path: readonly PropertyKey[]): unknown {
  const text = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)[key], input);
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) return input;
  const changed = replaceAt(input, path, Number(text));
  const better = shapeProblems(optionsSchema, changed).length < shapeProblems(optionsSchema, input).length;
  return better ? changed : input;
}

function replaceAt(value: unknown, [key, ...inner]: readonly PropertyKey[], replacement: unknown): unknown {
  if (key === undefined) return replacement;
  if (Array.isArray(value)) {
    return value.map((entry, index) => (index === key ? replaceAt(entry, inner, replacement) : entry));
  }
  const fields = value as Record<PropertyKey, unknown>;
  return { ...fields, [key]: replaceAt(fields[key], inner, replacement) };
}
