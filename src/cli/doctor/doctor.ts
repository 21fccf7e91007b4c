import { processEnvironment } from '../../config/environment.ts';
import { findConfiguration } from '../../config/load.ts';
import { resolveOptions } from '../../config/resolve.ts';
import type { ResolvedOptions } from '../../config/resolved.ts';
import { AdminClient } from '../admin-client.ts';
import { configurationSource, namingFile } from '../configuration.ts';
import { createPaint } from '../screen/cells.ts';
import { type ExitCode, json, printable, type Terminal } from '../terminal.ts';
import { type BundleParts, makeBundle, writeBundle } from './bundle.ts';
import { checkConfiguration, configurationProblems } from './configuration-checks.ts';
import { type Finding, type Level, note, ok } from './finding.ts';
import { askInstance, checkInstance, type InstanceReport, instanceAway } from './instance-checks.ts';
import { checkKernelForwarding } from './kernel-forwarding.ts';
import { checkMachine, thisMachine } from './machine.ts';

export interface DoctorChoice {
  config?: string | undefined;
  admin?: string | undefined;
  json?: boolean | undefined;
  /** A file, or true: a name of its own in this folder. */
  bundle?: string | boolean | undefined;
}

/** `smartproxy doctor`: what is wrong with this machine, this configuration and the running instance. 1 where something is. */
export async function doctor(choice: DoctorChoice, terminal: Terminal): Promise<ExitCode> {
  const environment = processEnvironment();
  const machine = thisMachine(environment.descriptorLimit);
  const client = new AdminClient(choice.admin);
  const [running, away] = await findInstance(client, choice);
  const read = await readConfiguration(choice);
  const findings = [
    ...(await checkMachine(machine)),
    ...read.findings,
    ...(read.options === null
      ? []
      : [
          ...(await checkConfiguration(read.options, { ...machine, ownPid: running?.instance.pid ?? null })),
          ...(await checkKernelForwarding(read.options)),
        ]),
    ...(running === null ? away : checkInstance(running, machine.now)),
  ];
  terminal.out(choice.json ? json({ findings }) : describe(findings));
  if (choice.bundle) {
    const parts = { findings, client: running === null ? null : client, configuration: read.configuration };
    await bundle(choice, parts, terminal);
  }
  return findings.some(({ level }) => level === 'problem') ? 1 : 0;
}

async function findInstance(
  client: AdminClient,
  { admin }: DoctorChoice,
): Promise<[InstanceReport | null, Finding[]]> {
  try {
    return [await askInstance(client), []];
  } catch (error) {
    const named = admin !== undefined || Boolean(process.env.SMARTPROXY_ADMIN);
    return [null, [instanceAway(error, client.place, named)]];
  }
}

interface ReadConfiguration {
  /** Undefined where there is none. */
  readonly configuration: unknown;
  readonly options: ResolvedOptions | null;
  readonly findings: Finding[];
}

async function readConfiguration({ config }: DoctorChoice): Promise<ReadConfiguration> {
  const file = config ?? findConfiguration(process.cwd());
  if (file === undefined) {
    const findings = [
      note('configuration', 'no configuration file in this folder', 'name one with --config FILE'),
    ];
    return { configuration: undefined, options: null, findings };
  }
  let configuration: unknown;
  try {
    const { options, warnings } = await namingFile(file, async () => {
      configuration = (await configurationSource({ config: file }).read()).input;
      return resolveOptions(configuration, processEnvironment());
    });
    const rest = warnings.map(({ path, message }) => note('configuration', `${path}: ${message}`));
    return { configuration, options, findings: [ok('configuration', `${file} is valid`), ...rest] };
  } catch (error) {
    return { configuration, options: null, findings: configurationProblems(error) };
  }
}

async function bundle(
  { bundle: where, json: forPrograms }: DoctorChoice,
  parts: Omit<BundleParts, 'now'>,
  terminal: Terminal,
): Promise<void> {
  const now = Date.now();
  const file = typeof where === 'string' ? where : defaultName(now);
  writeBundle(file, await makeBundle({ ...parts, now }));
  const text = `wrote ${printable(file)}: secrets are masked; it names clients, so look at it before you give it away\n`;
  if (forPrograms) terminal.err(text);
  else terminal.out(text);
}

/** `smartproxy-bundle-20260102T030405Z.json` */
function defaultName(now: number): string {
  return `smartproxy-bundle-${new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '')}.json`;
}

const order: readonly Level[] = ['problem', 'warning', 'note', 'ok'];

/** The worst comes first. */
function describe(findings: readonly Finding[]): string {
  const paint = createPaint(process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' });
  const sorted = [...findings].sort((one, other) => order.indexOf(one.level) - order.indexOf(other.level));
  const lines = sorted.flatMap(({ check, level, message, advice }) => [
    `${level.padEnd(8)} ${check.padEnd(15)} ${printable(message)}`,
    ...(advice === undefined ? [] : [`${' '.repeat(24)} → ${printable(advice)}`]),
  ]);
  const worst = findings.filter(({ level }) => level === 'problem').length;
  const summary =
    worst === 0 ? 'nothing stands in the way' : `${worst} ${worst === 1 ? 'problem' : 'problems'}`;
  return `${lines.join('\n')}\n${process.stdout.isTTY ? paint.bold(summary) : summary}\n`;
}
