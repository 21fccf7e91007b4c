import { processEnvironment } from '../config/environment.ts';
import { ConfigurationError, formatProblem, type Problem } from '../config/problems.ts';
import { resolveOptions } from '../config/resolve.ts';
import { type ConfigurationChoice, configurationSource, namingFile } from './configuration.ts';
import { type ExitCode, json, printable, type Terminal } from './terminal.ts';

export interface CheckChoice extends ConfigurationChoice {
  json?: boolean | undefined;
}

interface Findings {
  file: string | null;
  routes: number;
  problems: readonly Problem[];
  warnings: readonly Problem[];
}

/** `smartproxy check`: every problem and warning, on stdout. 2 where there is a problem. */
export async function check(choice: CheckChoice, terminal: Terminal): Promise<ExitCode> {
  const source = configurationSource(choice);
  const findings = await find(source.file, async () => (await source.read()).input);
  const valid = findings.problems.length === 0;
  if (choice.json) terminal.out(json({ valid, ...findings }));
  else terminal.out(describe(findings));
  return valid ? 0 : 2;
}

async function find(file: string | null, read: () => Promise<unknown>): Promise<Findings> {
  try {
    return await namingFile(file, async () => {
      const { options, warnings } = resolveOptions(await read(), processEnvironment());
      return { file, routes: options.routes.length, problems: [], warnings };
    });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { file: error.file, routes: 0, problems: error.problems, warnings: error.warnings };
  }
}

function describe({ file, routes, problems, warnings }: Findings): string {
  const lines = [
    ...problems.map((problem) => formatProblem(problem, file)),
    ...warnings.map((warning) => formatProblem({ ...warning, message: `warning: ${warning.message}` }, file)),
  ];
  if (problems.length === 0) {
    lines.push(`${file ?? 'the configuration'}: valid, ${routes} ${routes === 1 ? 'route' : 'routes'}`);
  }
  return lines.map((line) => `${printable(line, true)}\n`).join('');
}
