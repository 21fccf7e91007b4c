import { SmartProxyError } from '../base/errors.ts';

/** Something wrong, or doubtful, at one place of a configuration. */
export interface Problem {
  /** `routes[0].match.domains`; empty for the whole. */
  readonly path: string;
  /** What is wrong. */
  readonly message: string;
  /** What to write instead. */
  readonly instead?: string;
}

/** What a checker found. */
export interface Findings {
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigurationError extends SmartProxyError {
  override name = 'ConfigurationError';
  /** Never empty. In the order of the configuration, as far as that is known. */
  readonly problems: readonly Problem[];
  /** What is doubtful besides. */
  readonly warnings: readonly Problem[];
  /** The file that was read, or null where the configuration came from a program. */
  readonly file: string | null;

  constructor(
    problems: readonly Problem[],
    context: { warnings?: readonly Problem[]; file?: string | null; cause?: unknown } = {},
  ) {
    const file = context.file ?? null;
    super('invalid-configuration', problems.map((problem) => formatProblem(problem, file)).join('\n'), {
      source: 'config',
      cause: context.cause,
    });
    this.problems = problems;
    this.warnings = context.warnings ?? [];
    this.file = file;
  }
}

/** `FILE: path.to.field: what is wrong (what to write instead)`, without the parts that are not known. */
export function formatProblem(problem: Problem, file: string | null = null): string {
  const place = [file, problem.path].filter((part) => part !== null && part !== '');
  const instead = problem.instead === undefined ? '' : ` (${problem.instead})`;
  return [...place, `${problem.message}${instead}`].join(': ');
}

/** `routes[0].match["x-y"]` for ['routes', 0, 'match', 'x-y']. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(String(key))) text += text === '' ? String(key) : `.${String(key)}`;
    else text += `[${JSON.stringify(String(key))}]`;
  }
  return text;
}
