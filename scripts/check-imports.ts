/**
 * Checks how the files of src/ import each other: only down the ladder of docs/architecture.md, and
 * never in a circle. Types count: a room that needs a type from above has its contract in the wrong place.
 *
 *     node scripts/check-imports.ts [folder, default src]
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { argv, exit } from 'node:process';
import { fileURLToPath } from 'node:url';

/** Each room's rung. A file imports its own room and rooms on lower rungs, nothing else. */
const rungs = new Map(
  [
    ['base'],
    ['config'],
    ['connection', 'first-bytes', 'routing', 'certificates', 'nftables'],
    ['security', 'metrics', 'targets', 'tracing', 'transport'],
    ['forwarding', 'network-proxy', 'admin'],
    ['smart-proxy'],
    ['cli', 'index.ts'],
  ].flatMap((rooms, rung) => rooms.map((room) => [room, rung] as const)),
);
const topRung = Math.max(...rungs.values());

/**
 * Rooms that every connection passes. They are handed frozen snapshots: a file or a child process
 * there would make each connection wait for the disk or for a fork.
 */
const hotRooms = new Set([
  'connection',
  'first-bytes',
  'routing',
  'transport',
  'forwarding',
  'network-proxy',
]);
const coldModules = /^(node:)?(fs|child_process)(\/|$)/;

/**
 * Runs in a browser: it speaks the admin API, and shares nothing with the server but types. Only what
 * is built of it is served.
 */
const browserFolder = join('admin', 'dashboard') + sep;

interface Import {
  specifier: string;
  line: number;
  /** Nothing of it is left when types are stripped. */
  typeOnly: boolean;
}

/** Every import, re-export and dynamic import with a literal specifier. */
export function importsOf(source: string): Import[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) =>
    comment.replaceAll(/[^\n]/g, ' '),
  );
  const pattern =
    /(?:^|[\s;}])(?:((?:import|export)\s+type\s[^'";]*?)?from|import)\s*\(?\s*(['"])([^'"\n]+)\2/g;
  return [...code.matchAll(pattern)].map((match) => ({
    specifier: match[3] ?? '',
    line: code.slice(0, match.index + match[0].length).split('\n').length,
    typeOnly: match[1] !== undefined,
  }));
}

/** All problems of a source folder, as lines for people. Empty: none. */
export function checkImports(folder: string): string[] {
  const files = globSync('**/*.{ts,tsx}', { cwd: folder }).sort();
  const edges = new Map<string, string[]>();
  const problems = files.flatMap((file) => {
    const targets: string[] = [];
    edges.set(file, targets);
    return importsOf(readFileSync(join(folder, file), 'utf8')).flatMap((found) => {
      const target = targetOf(folder, file, found.specifier);
      if (target !== null) targets.push(target);
      const problem = problemWith(folder, file, found, target);
      return problem === null ? [] : [`${file}:${found.line}: ${problem}`];
    });
  });
  return [...problems, ...cyclesOf(edges).map((cycle) => `cycle: ${cycle.join(' → ')}`)];
}

/** The imported file relative to the folder; null where it is a package or Node's own. */
function targetOf(folder: string, file: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  return relative(folder, resolve(folder, dirname(file), specifier));
}

function problemWith(folder: string, file: string, found: Import, target: string | null): string | null {
  const { specifier } = found;
  const room = roomOf(file);
  const browser = browserProblem(file, found, target);
  if (browser !== null) return browser;
  if (target === null) {
    const cold = hotRooms.has(room) && coldModules.test(specifier);
    return cold ? `${room}/ is hot: it must not import ${specifier} (it is handed what it needs)` : null;
  }
  if (target.startsWith('..')) return `imports ${specifier}, which is outside of the source folder`;
  if (!existsSync(join(folder, target))) return `imports ${specifier}, which does not exist`;
  return climbProblem(room, roomOf(target));
}

function browserProblem(file: string, { specifier, typeOnly }: Import, target: string | null): string | null {
  const inBrowser = file.startsWith(browserFolder) && !file.endsWith('vite.config.ts');
  if (!inBrowser) {
    const reaches = target?.startsWith(browserFolder) === true && !file.startsWith(browserFolder);
    return reaches ? `imports ${specifier}, which runs in a browser` : null;
  }
  if (specifier.startsWith('node:')) return `imports ${specifier}, and runs in a browser`;
  if (target === null || target.startsWith(browserFolder) || typeOnly) return null;
  return `imports ${specifier}: the dashboard shares types with the server, and nothing else`;
}

function climbProblem(from: string, to: string): string | null {
  const rung = rungs.get(from);
  const targetRung = rungs.get(to);
  if (rung === undefined)
    return `${from} is on no rung of the ladder: give it one in scripts/check-imports.ts`;
  if (targetRung === undefined) return `${to} is on no rung of the ladder`;
  if (from === to || targetRung < rung || rung === topRung) return null;
  return `${from} (rung ${rung}) must not import ${to} (rung ${targetRung}): imports go down only`;
}

/** A room is a folder; a file at the top is its own. */
function roomOf(file: string): string {
  return file.split(sep)[0] ?? file;
}

/** One path for each circle that a depth-first walk closes. */
export function cyclesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    path.push(file);
    for (const target of edges.get(file) ?? []) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of edges.keys()) visit(file);
  return cycles;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkImports(resolve(argv[2] ?? 'src'));
  for (const problem of problems) console.error(problem);
  exit(problems.length === 0 ? 0 : 1);
}
