import { execFile } from 'node:child_process';
import { access, copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import type { LocalAuthority } from './local-authority.ts';

const run = promisify(execFile);

/** An authority that is to be trusted, and the file of its certificate. */
export interface TrustedAuthority {
  readonly name: string;
  readonly fingerprint: string;
  readonly certificateFile: string;
}

export interface TrustStep {
  /** Who trusts it afterwards. */
  readonly who: string;
  /** For a shell. */
  readonly commands: readonly string[];
}

/** Where Debian keeps what its administrator trusts. The defaults are the system's own places. */
export interface DebianTrust {
  /** Default `/usr/local/share/ca-certificates`. */
  readonly folder?: string;
  /** Default `update-ca-certificates`, without arguments. */
  readonly update?: readonly string[];
}

const debianFolder = '/usr/local/share/ca-certificates';
const debianUpdate = ['update-ca-certificates'];

export function trustedAuthority(
  { name, fingerprint }: LocalAuthority,
  certificateFile: string,
): TrustedAuthority {
  return { name, fingerprint, certificateFile };
}

/** How people make their programs trust the authority, and how they undo it. */
export function trustSteps(authority: TrustedAuthority): TrustStep[] {
  const file = quote(authority.certificateFile);
  const installed = quote(join(debianFolder, installedName(authority)));
  const name = quote(authority.name);
  const debian = 'Debian, Ubuntu: the whole system (not Firefox and Chromium)';
  const nss = 'sql:$HOME/.pki/nssdb';
  return [
    { who: 'curl, once', commands: [`curl --cacert ${file} https://app.localhost:8443/`] },
    { who: 'Node, one program', commands: [`NODE_EXTRA_CA_CERTS=${file} node app.js`] },
    { who: debian, commands: [`sudo cp ${file} ${installed}`, 'sudo update-ca-certificates'] },
    {
      who: 'macOS: the whole system',
      commands: [
        `sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ${file}`,
      ],
    },
    {
      who: 'Chromium on Linux (certutil comes with the package libnss3-tools)',
      commands: [`certutil -d ${nss} -A -t C,, -n ${name} -i ${file}`],
    },
    {
      who: 'Firefox: Settings, Privacy & Security, View Certificates, Authorities, Import; or, for one profile',
      commands: [`certutil -d sql:PROFILE_FOLDER -A -t C,, -n ${name} -i ${file}`],
    },
    {
      who: 'To undo it: Debian, Ubuntu; macOS; Chromium',
      commands: [
        `sudo rm ${installed} && sudo update-ca-certificates --fresh`,
        `sudo security delete-certificate -Z ${authority.fingerprint.replaceAll(':', '')} /Library/Keychains/System.keychain`,
        `certutil -d ${nss} -D -n ${name}`,
      ],
    },
  ];
}

/**
 * Makes a Debian system trust the authority. Repeating it changes nothing.
 * @returns the file that was made
 * @throws SmartProxyError `trust-failed`: not root, not Debian, or what the system's tool said
 */
export async function trustOnDebian(authority: TrustedAuthority, system: DebianTrust = {}): Promise<string> {
  const { folder = debianFolder, update = debianUpdate } = system;
  const installed = join(folder, installedName(authority));
  return telling(async () => {
    await access(folder);
    await copyFile(authority.certificateFile, installed);
    await runUpdate(update);
    return installed;
  });
}

/** Undoes `trustOnDebian`. Nothing happens where it was not trusted. Throws `trust-failed`. */
export async function distrustOnDebian(
  authority: TrustedAuthority,
  system: DebianTrust = {},
): Promise<string> {
  const { folder = debianFolder, update = debianUpdate } = system;
  const installed = join(folder, installedName(authority));
  return telling(async () => {
    await rm(installed, { force: true });
    await runUpdate([...update, '--fresh']);
    return installed;
  });
}

/** One for each authority: those of several machines or users do not replace each other. */
function installedName({ fingerprint }: TrustedAuthority): string {
  return `smartproxy-${fingerprint.replaceAll(':', '').slice(0, 12).toLowerCase()}.crt`;
}

async function runUpdate([program = '', ...args]: readonly string[]): Promise<void> {
  await run(program, args);
}

async function telling<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw new SmartProxyError('trust-failed', `the system's trust was not changed: ${errorMessage(error)}`, {
      source: 'proxy',
      cause: error,
    });
  }
}

function quote(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
