import { systemClock } from '../base/clock.ts';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import { FolderStore } from '../certificates/acme/store/folder-store.ts';
import { type ImportReport, importCertificates } from '../certificates/acme/store/import-certificates.ts';
import type { CertificateStatus } from '../certificates/certificate-source.ts';
import { processEnvironment } from '../config/environment.ts';
import { resolveOptions } from '../config/resolve.ts';
import { AdminClient } from './admin-client.ts';
import type { AdminChoice } from './admin-commands.ts';
import { configurationSource, namingFile } from './configuration.ts';
import { json, type Terminal, table } from './terminal.ts';

/** `smartproxy certificates`: every certificate of a running instance, the ones that end soonest first. */
export async function certificates(choice: AdminChoice, terminal: Terminal): Promise<void> {
  const answer = await new AdminClient(choice.admin).get('/api/v1/certificates');
  if (choice.json) return terminal.out(json(answer));
  const { certificates: all } = answer as { certificates: CertificateStatus[] };
  const head = ['NAMES', 'SOURCE', 'AUTHORITY', 'ISSUED', 'EXPIRES', 'RENEWED', 'LAST ERROR'];
  const sorted = [...all].sort((one, other) => ((one.validTo ?? '') < (other.validTo ?? '') ? -1 : 1));
  terminal.out(table(head, sorted.map(rowOf)));
}

function rowOf(status: CertificateStatus): string[] {
  const { names, source, authority, issuer, issuedAt, validFrom, validTo, problem } = status;
  return [
    names.length > 3 ? `${names.slice(0, 3).join(' ')} +${names.length - 3}` : names.join(' '),
    source,
    authority === null ? (commonName(issuer) ?? '-') : new URL(authority).host,
    minute(issuedAt ?? validFrom),
    minute(validTo),
    renewalOf(status),
    problem ?? '-',
  ];
}

/** When something happens next. */
function renewalOf({ ordering, nextAttemptAt, renewAt }: CertificateStatus): string {
  if (ordering) return 'now';
  const dates = [renewAt, nextAttemptAt].filter((date) => date !== null).sort();
  return minute(dates.at(-1) ?? null);
}

function commonName(subject: string | null): string | null {
  // Node writes names as RFC 4514 has them, where a comma has a backslash before it.
  return /^CN=(.*)$/m.exec(subject ?? '')?.[1]?.replace(/\\(.)/g, '$1') ?? null;
}

function minute(date: string | null): string {
  return date === null ? '-' : `${date.slice(0, 16).replace('T', ' ')}Z`;
}

/** `smartproxy certificates renew NAME`: now, whatever the schedule says. */
export async function renew(name: string, choice: AdminChoice, terminal: Terminal): Promise<void> {
  const path = `/api/v1/certificates/${encodeURIComponent(name)}/renew`;
  const answer = await new AdminClient(choice.admin).post(path);
  if (choice.json) return terminal.out(json(answer));
  const { certificate } = answer as { certificate: CertificateStatus };
  const names = certificate.names.join(', ');
  if (certificate.ordering)
    terminal.out(`${names}: being ordered; smartproxy certificates tells how it goes\n`);
  else terminal.out(`${names}: renewed, valid until ${certificate.validTo}\n`);
}

export interface ImportChoice {
  config?: string | undefined;
  directory?: string | undefined;
  json?: boolean | undefined;
}

/** `smartproxy certificates import FOLDER`: takes over what other programs have ordered. */
export async function importFolder(folder: string, choice: ImportChoice, terminal: Terminal): Promise<void> {
  const store = new FolderStore(choice.directory ?? (await configuredDirectory(choice)), systemClock);
  const report = await importCertificates(folder, store, systemClock.wallTime()).catch((error) => {
    if (error instanceof SmartProxyError) throw error;
    throw new SmartProxyError('usage', `cannot import ${folder}: ${errorMessage(error)}`, {
      source: 'config',
    });
  });
  terminal.out(choice.json ? json({ directory: store.place, ...report }) : describe(report, store.place));
}

async function configuredDirectory({ config }: ImportChoice): Promise<string> {
  const source = configurationSource({ config });
  return namingFile(source.file, async () => {
    const { options } = resolveOptions((await source.read()).input, processEnvironment());
    return options.certificates.directory;
  });
}

function describe({ imported, skipped }: ImportReport, directory: string): string {
  const lines = [
    ...imported.map(({ name, validTo, file }) => `${name}: valid until ${validTo} (${file})`),
    ...skipped.map(({ file, why }) => `skipped ${file}: ${why}`),
    imported.length === 0
      ? `nothing was imported into ${directory}: no chain that is new has its key beside it`
      : `${imported.length} imported into ${directory}; a running instance takes them up within minutes, or at once with smartproxy reload`,
  ];
  return `${lines.join('\n')}\n`;
}
