import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { SmartProxyError } from '../base/errors.ts';

export interface ProgramResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface ProgramOptions {
  readonly input?: string;
  /** Default 30,000: a listing of a million flows takes a tenth of that. */
  readonly deadlineMs?: number;
  /** Gets the output as it comes, in place of `out`; no more before it is done with it. */
  readonly onOutput?: (text: string) => void | Promise<void>;
}

/** The programs that this room runs, with the Debian package that brings each. */
const packages = { nft: 'nftables', conntrack: 'conntrack' } as const;
type ProgramName = keyof typeof packages;

const deadlineMs = 30_000;

/** Of an output that is kept; what is longer is cut, as no answer that is read whole is so long. */
const maxOutputCharacters = 64 * 1024 * 1024;

/** Not on the path of everybody, but where these programs are. */
const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Texts in English, and nothing from outside but the path. */
export const programEnvironment = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

/** Where a program is. Throws SmartProxyError `nftables-program-missing`. */
export function findProgram(name: ProgramName, path = process.env.PATH ?? ''): string {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ''), ...systemFolders];
  const found = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new SmartProxyError(
    'nftables-program-missing',
    `engine 'nftables' needs the program ${name}: install the package ${packages[name]} (apt install ${packages[name]})`,
    { source: 'config' },
  );
}

/**
 * Runs a program to its end, without a shell. Resolves whatever its exit code is; rejects where it cannot
 * be started, or takes longer than its deadline and was killed.
 */
export async function runProgram(
  name: ProgramName,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { input } = options;
  const child = spawn(findProgram(name), args, {
    env: programEnvironment,
    // A pipe more is a third of what it costs to run a program.
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    timeout: options.deadlineMs ?? deadlineMs,
    killSignal: 'SIGKILL',
  });
  let out = '';
  let err = '';
  const keep = (text: string): void => {
    if (out.length < maxOutputCharacters) out += text;
  };
  const { stdin, stdout, stderr } = child as { stdin: Writable | null; stdout: Readable; stderr: Readable };
  const read = consume(stdout.setEncoding('latin1'), options.onOutput ?? keep);
  stderr.setEncoding('latin1').on('data', (text: string) => {
    if (err.length < maxOutputCharacters) err += text;
  });
  // A program that ends early does not read its input: its exit code tells why.
  stdin?.on('error', () => {}).end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
    read.catch(reject);
  });
  if (child.killed)
    throw new SmartProxyError('nftables-program-failed', `${name} did not end in time`, {
      source: 'kernel',
      retryable: true,
    });
  return { code, out, err };
}

async function consume(
  output: AsyncIterable<string>,
  take: (text: string) => void | Promise<void>,
): Promise<void> {
  for await (const text of output) await take(text);
}
