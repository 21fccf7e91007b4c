import { parseDocument } from 'yaml';
import { errorMessage } from '../base/errors.ts';
import { ConfigurationError } from './problems.ts';

/** The value of a JSON text. @throws ConfigurationError with line and column */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch (error) {
    const message = errorMessage(error);
    const told = /at position (\d+)/.exec(message)?.[1];
    // Without a position, the text ended too soon.
    const offset = told === undefined ? text.length : Number(told);
    const what = message.replace(/ in JSON at position .*$| at position .*$/, '');
    throw syntaxError(file, text, offset, `is not valid JSON: ${what}`, error);
  }
}

/** The value of a YAML 1.2 text; keys are unique. @throws ConfigurationError with line and column, for each error */
export function parseYaml(text: string, file: string): unknown {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      path: '',
      message: `${position(text, error.pos[0])}: is not valid YAML: ${error.message}`,
    }));
    throw new ConfigurationError(problems, { file, cause: document.errors[0] });
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new ConfigurationError([{ path: '', message: `is not valid YAML: ${errorMessage(error)}` }], {
      file,
      cause: error,
    });
  }
}

function syntaxError(
  file: string,
  text: string,
  offset: number,
  message: string,
  cause: unknown,
): ConfigurationError {
  return new ConfigurationError([{ path: '', message: `${position(text, offset)}: ${message}` }], {
    file,
    cause,
  });
}

/** `line:column`, both from 1. */
function position(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `${before.length}:${before.at(-1)!.length + 1}`;
}
