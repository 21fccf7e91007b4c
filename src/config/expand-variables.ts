import { formatPath, type Problem } from './problems.ts';

/** Strings of a file after `${NAME}` was replaced. */
export interface Expanded {
  readonly input: unknown;
  readonly problems: Problem[];
  /** Paths of strings that were one `${NAME}` and nothing else: where a number may have been meant. */
  readonly whole: (readonly PropertyKey[])[];
}

/**
 * Replaces `${NAME}` in every string by the variable's value; `$${` stands for `${`. A variable
 * that is not set is a problem, an empty one is not. Keys are left alone.
 */
export function expandVariables(
  value: unknown,
  variables: Readonly<Record<string, string | undefined>>,
): Expanded {
  const problems: Problem[] = [];
  const whole: (readonly PropertyKey[])[] = [];
  const expand = (inner: unknown, path: readonly PropertyKey[]): unknown => {
    if (typeof inner === 'string') {
      if (/^\$\{\w+\}$/.test(inner)) whole.push(path);
      return expandText(inner, variables, (message) => problems.push({ path: formatPath(path), ...message }));
    }
    if (Array.isArray(inner)) return inner.map((entry, index) => expand(entry, [...path, index]));
    if (typeof inner !== 'object' || inner === null) return inner;
    return Object.fromEntries(
      Object.entries(inner).map(([key, entry]) => [key, expand(entry, [...path, key])]),
    );
  };
  return { input: expand(value, []), problems, whole };
}

function expandText(
  text: string,
  variables: Readonly<Record<string, string | undefined>>,
  report: (problem: { message: string; instead: string }) => void,
): string {
  return text.replace(/\$?\$\{([^}]*)\}?/g, (found, name: string) => {
    if (found.startsWith('$$')) return found.slice(1);
    if (!/^[A-Za-z_]\w*$/.test(name) || !found.endsWith('}')) {
      report({
        message: `${JSON.stringify(found)} is no name of a variable`,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what users write
        instead: 'write ${NAME}, or $${ for the text itself',
      });
      return found;
    }
    const value = variables[name];
    if (value === undefined) {
      report({ message: `the environment variable ${name} is not set`, instead: `set ${name}` });
    }
    return value ?? found;
  });
}
